"""The files of a commit, and what changed between two."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git, Stderr
from gitaly_py.git.reading.interface import Reader
from gitaly_py.storage.repository import Repository

ATTRIBUTES = b".gitattributes"


@dataclass(frozen=True, slots=True)
class File:
    """A blob in a tree; symbolic links are some, too. size: bytes."""

    path: bytes
    oid: str
    size: int


async def all_files(git: Git, repository: Repository, commit: str) -> list[File]:
    """Every file of a commit. Raises CommandFailed when it has no tree that can be read."""
    files: list[File] = []
    command = Command(name="ls-tree", flags=["-r", "-l", "-z"], args=[commit])
    async with git.start(repository.git, command, stderr=Stderr.KEEP) as process:
        async for records in process.batches(b"\0"):
            files.extend(_blobs(records))
        await process.check()
    return files


async def changed_files(
    git: Git, repository: Repository, old: str, new: str
) -> dict[bytes, str | None] | None:
    """The blobs of `new` at the paths where it differs from `old`, None where it has none.

    None if git can't compare them, because `old` is gone for instance.
    """
    command = Command(name="diff-tree", flags=["-r", "-z", "--raw", "--no-renames"], args=[old, new])
    changes: dict[bytes, str | None] = {}
    async with git.start(repository.git, command, stderr=Stderr.KEEP) as process:
        status = b""
        async for record in process.records(b"\0"):
            if status:
                changes[record], status = _blob_of(status), b""
            else:
                status = record
        return None if await process.wait() else changes


async def sized(reader: Reader, blobs: dict[bytes, str]) -> AsyncGenerator[File]:
    """Files with their sizes, by path and id; those whose object is gone are left out."""
    infos = reader.info_each([oid.encode() for oid in blobs.values()])
    paths = iter(blobs)
    async with aclosing(infos):
        async for info in infos:
            path = next(paths)
            if info is not None:
                yield File(path, info.oid, info.size)


def named_attributes(path: bytes) -> bool:
    """Whether git reads attributes from a file at that path."""
    return path.rpartition(b"/")[2] == ATTRIBUTES


def _blobs(records: list[bytes]) -> Iterator[File]:
    for record in records:
        facts, _, path = record.partition(b"\t")
        _, kind, oid, size = facts.split()
        if kind == b"blob":
            yield File(path, oid.decode(), int(size))


def _blob_of(status: bytes) -> str | None:
    """The new blob in `:100644 100644 <old> <new> M`; a submodule's id names none."""
    _, mode, _, oid, _ = status.split()
    return None if mode in (b"000000", b"160000") else oid.decode()
