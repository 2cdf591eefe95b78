"""The objects that references lead to; here every one of them must exist."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, ObjectInfo, Reader, References

AnswerT = TypeVar("AnswerT")


async def infos_of(reader: Reader, oids: Iterable[str], *, peeled: bool = False) -> dict[str, ObjectInfo]:
    """What each object is, or what it peels to in the end. Raises ObjectNotFound."""
    distinct = list(dict.fromkeys(oids))
    suffix = b"^{}" if peeled else b""
    return await _existing(distinct, reader.info_each(oid.encode() + suffix for oid in distinct))


async def objects_of(reader: Reader, oids: Iterable[str]) -> dict[str, GitObject]:
    """The objects, each read once. Raises ObjectNotFound."""
    distinct = list(dict.fromkeys(oids))
    return await _existing(distinct, reader.read_each(map(str.encode, distinct)))


async def peeled_of(reader: Reader, batch: References) -> list[str]:
    """What each reference of the batch peels to in the end. Raises ObjectNotFound."""
    unknown = [oid for oid, peeled in zip(batch.oids, batch.peeled, strict=True) if peeled is None]
    finals = await infos_of(reader, unknown, peeled=True) if unknown else {}
    return [peeled or finals[oid].oid for oid, peeled in zip(batch.oids, batch.peeled, strict=True)]


async def _existing(oids: list[str], answers: AsyncIterator[AnswerT | None]) -> dict[str, AnswerT]:
    found: dict[str, AnswerT] = {}
    remaining = iter(oids)
    async for answer in answers:
        oid = next(remaining)
        if answer is None:
            raise ObjectNotFound(oid)
        found[oid] = answer
    return found
