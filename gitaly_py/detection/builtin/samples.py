"""How files begin."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from gitaly_py.detection.builtin.files import File
from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import Reader

SAMPLE = 16_384
"""Bytes of a file that are looked at (commit.md 4.1)."""

_WHOLE = 128 << 10
"""Bytes of the largest file that is read as a whole, because asking for a part of it costs more."""

_GROUP = 64
"""Files that are read in a row: at most a mebibyte of samples."""


async def samples_of(reader: Reader, files: Sequence[File]) -> AsyncGenerator[list[bytes]]:
    """The samples of the files in order, some at a time. Raises ObjectNotFound."""
    for at in range(0, len(files), _GROUP):
        group = files[at : at + _GROUP]
        small = [file.oid.encode() for file in group if file.size <= _WHOLE]
        whole: dict[str, bytes] = {}
        async with aclosing(reader.read_each(small)) as blobs:
            async for blob in blobs:
                if blob is not None:
                    whole[blob.oid] = blob.data[:SAMPLE]
        yield [whole[file.oid] if file.oid in whole else await _beginning(reader, file) for file in group]


async def _beginning(reader: Reader, file: File) -> bytes:
    if file.size <= _WHOLE:
        raise ObjectNotFound(file.oid)
    async with aclosing(reader.content(file.oid, SAMPLE)) as pieces:
        return b"".join([piece async for piece in pieces])
