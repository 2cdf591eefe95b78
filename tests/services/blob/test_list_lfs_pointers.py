"""BlobService/ListLFSPointers (ref-blob.md 6.7)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import LFSPointer, ListLFSPointersRequest
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from tests.support.blobs import pointer
from tests.support.daemon import Daemon
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

FAILED = "processing blobs: rev-list pipeline command: exit status 128, stderr: "
OVERHEAD = len(pointer(1))


async def pointers(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[LFSPointer]:
    request = ListLFSPointersRequest(repository=repo.message, revisions=revisions, **fields)
    messages = await collect(daemon.stub(BlobServiceStub).ListLFSPointers(request))
    assert all(message.lfs_pointers for message in messages)
    return [found for message in messages for found in message.lfs_pointers]


async def sizes(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[int]:
    return [found.file_size for found in await pointers(daemon, repo, *revisions, **fields)]


def filled(repo: Repo) -> Repo:
    """Pointers 1 and 2 in the older commit, 3 and 4 in the newer one, 5 on a branch beside them."""
    old = repo.commit("old\n", {"a": pointer(1), "dir/b": pointer(2), "plain": b"x\n"}, time=EPOCH)
    repo.ref("refs/heads/old", old)
    files = {"a": pointer(3), "c": pointer(4), "dir/b": pointer(2), "link": ("120000", b"c")}
    repo.commit("new\n", files, [old], time=EPOCH + 9, ref="refs/heads/main")
    repo.commit("side\n", {"side": pointer(5)}, [old], time=EPOCH + 5, ref="refs/heads/side")
    repo.blob(pointer(6))
    return repo


async def test_reachable_pointers_are_listed_newest_commit_first(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = filled(any_format_repo)

    for revisions, expected in (
        (["main"], [3, 4, 2, 1]),
        (["old"], [1, 2]),
        (["old..main"], [3, 4]),
        (["main", "--not", "old"], [3, 4]),
        (["--all"], [3, 4, 2, 5, 1]),
        (["--branches=s*", "--not", "main"], [5]),
        (["side", "^old", repo.blob(pointer(6)), "main:dir"], [6, 5]),
        (["main:dir", repo.blob(pointer(6))], [2, 6]),
        (["--not", "--all"], []),
    ):
        assert await sizes(daemon, repo, *revisions) == expected, revisions


async def test_a_pointer_has_all_its_fields(daemon: Daemon, any_format_repo: Repo) -> None:
    data = pointer(12345)
    oid = any_format_repo.blob(data)

    assert await pointers(daemon, any_format_repo, oid) == [
        LFSPointer(size=len(data), data=data, oid=oid, file_size=12345, file_oid=b"%064x" % 12345)
    ]


async def test_the_limit_counts_pointers(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    for limit, expected in (
        (1, [3]),
        (3, [3, 4, 2]),
        (4, [3, 4, 2, 1]),
        (0, [3, 4, 2, 1]),
        (-1, [3, 4, 2, 1]),
    ):
        assert await sizes(daemon, repo, "main", limit=limit) == expected


async def test_a_pointer_has_less_than_200_bytes(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    fits = repo.blob(pointer(1, padding=199 - OVERHEAD))
    too_large = repo.blob(pointer(2, padding=200 - OVERHEAD))
    repo.commit("x\n", {"a": ("100644", fits), "b": ("100644", too_large)}, ref="refs/heads/main")

    assert await sizes(daemon, repo, "main") == [1]
    assert await sizes(daemon, repo, fits, too_large) == [1]


async def test_thousands_of_pointers_arrive(daemon: Daemon, repo: Repo) -> None:
    blobs = b"".join(
        b"blob\nmark :%d\ndata %d\n%b\n" % (n, len(pointer(n)), pointer(n)) for n in range(1, 3001)
    )
    files = b"".join(b"M 100644 :%d %05d\n" % (n, n) for n in range(1, 3001))
    repo.git(
        "fast-import",
        "--quiet",
        stdin=blobs + b"commit refs/heads/main\ncommitter C <c@x> 1 +0000\ndata 0\n" + files,
    )

    assert await sizes(daemon, repo, "main") == list(range(1, 3001))
    assert await sizes(daemon, repo, "main", limit=2000) == list(range(1, 2001))


@pytest.mark.parametrize(
    ("revisions", "text"),
    [
        ([], "missing revisions"),
        (["main", "-x"], "invalid revision: revision can't start with '-'"),
        (["ma\tin"], "invalid revision: revision can't contain whitespace"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revisions: list[str], text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await pointers(daemon, repo, *revisions)


async def test_what_git_cannot_resolve_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    absent = "1" * any_format_repo.format.hex_length
    async with refused(StatusCode.INTERNAL, FAILED + f'"fatal: bad object {absent}\\n"'):
        await pointers(daemon, any_format_repo, absent)
    async with refused(StatusCode.INTERNAL, FAILED + "\"fatal: bad revision 'nope'\\n\""):
        await pointers(daemon, any_format_repo, "nope")
