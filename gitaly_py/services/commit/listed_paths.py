"""The entries that ListLastCommitsForTree is about, by `git ls-tree`'s rules (commit.md 3.3)."""

from __future__ import annotations

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.commit_pb2 import GetTreeEntriesRequest, ListLastCommitsForTreeRequest
from gitaly_py.services.app import Call
from gitaly_py.services.commit.tree_pages import first_of
from gitaly_py.services.commit.tree_records import Batches, in_order, path_of, records_of
from gitaly_py.services.commit.walks import literal_pathspecs

ROOT = (b"", b"/")
"""What clients say for the root, in place of git's `.`."""

_LARGE_TREE = 64 * 1024
"""Bytes of a tree that git lists rather than we: parsing it would hold the loop for milliseconds."""


async def listed_paths(
    call: Call, reader: Reader, request: ListLastCommitsForTreeRequest, commit: str
) -> list[bytes]:
    """The paths of the asked entries of a commit: trees, then blobs, then submodules.

    `folder/` stands for what is in it, `folder` for itself. Raises CommandFailed for a path outside.
    """
    folder = _plain_folder(request.path)
    here = None if folder is None else await _small_folder(reader, commit, folder)
    prefix, records = (b"", _records(call, request, commit)) if here is None else (folder or b"", here)
    sorted_records = in_order(records, GetTreeEntriesRequest.TREES_FIRST)
    asked = await first_of(sorted_records, request.offset + request.limit)
    return [prefix + path_of(record) for record in asked[request.offset :]]


def _plain_folder(path: bytes) -> bytes | None:
    """A path that names a folder's content as it stands, empty for the root; None for any other."""
    if path in ROOT:
        return b""
    odd = any(part in (b"", b".", b"..") for part in path[:-1].split(b"/"))
    return None if odd or not path.endswith(b"/") or path.startswith(b":") else path


async def _small_folder(reader: Reader, commit: str, folder: bytes) -> Batches | None:
    """The records of a folder without a git process; None if it is large, or none at all."""
    info = await reader.info(b"%s:%s" % (commit.encode(), folder))
    if info is None or info.type != "tree" or info.size > _LARGE_TREE:
        return None
    tree = await reader.read(info.oid.encode())
    return None if tree is None else _batch(records_of(tree.data, reader.format))


async def _batch(records: list[bytes]) -> Batches:
    yield records


async def _records(call: Call, request: ListLastCommitsForTreeRequest, commit: str) -> Batches:
    command = Command(
        name="ls-tree",
        flags=["-z", "--full-name"],
        args=[commit],
        paths=[b"." if request.path in ROOT else request.path],
        global_flags=literal_pathspecs(request.global_options),
    )
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async for records in process.batches(b"\0"):
            yield records
        await process.check()
