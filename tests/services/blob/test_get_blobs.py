"""BlobService/GetBlobs (ref-blob.md 6.2)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.blob_pb2 import GetBlobsRequest, GetBlobsResponse
from gitaly_py.pb.blob_pb2_grpc import BlobServiceStub
from gitaly_py.pb.shared_pb2 import ObjectType
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

LARGE = bytes(range(256)) * 2048


async def blobs(
    daemon: Daemon, repo: Repo, *pairs: tuple[str, bytes], limit: int = -1
) -> list[GetBlobsResponse]:
    wanted = [GetBlobsRequest.RevisionPath(revision=revision, path=path) for revision, path in pairs]
    request = GetBlobsRequest(repository=repo.message, revision_paths=wanted, limit=limit)
    return await collect(daemon.stub(BlobServiceStub).GetBlobs(request))


def filled(repo: Repo) -> Repo:
    repo.commit(
        "x\n",
        {
            "file": b"0123456789",
            "dir/run": ("100755", b"#!"),
            "dir/link": ("120000", b"../file"),
            "dir/sub": ("160000", "1" * repo.format.hex_length),
            "empty": b"",
            "large": LARGE,
        },
        ref="refs/heads/main",
    )
    return repo


def a_blob(
    repo: Repo, path: bytes, data: bytes, mode: int = 0o100644, *, sent: bytes | None = None
) -> GetBlobsResponse:
    return GetBlobsResponse(
        revision="main",
        path=path,
        oid=repo.blob(data),
        mode=mode,
        type=ObjectType.BLOB,
        size=len(data),
        data=data if sent is None else sent,
    )


async def test_every_pair_is_answered_in_order(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    tree = repo.git("rev-parse", "main:dir")

    found = await blobs(
        daemon,
        repo,
        ("main", b"file"),
        ("main", b"nope"),
        ("main", b"dir/run"),
        ("nope", b"file"),
        ("main", b"dir/link"),
        ("main", b"dir/sub"),
        ("main", b"dir//"),
        ("main", b"file"),
        ("main", b"empty"),
    )

    submodule = "1" * repo.format.hex_length
    assert found == [
        a_blob(repo, b"file", b"0123456789"),
        GetBlobsResponse(revision="main", path=b"nope"),
        a_blob(repo, b"dir/run", b"#!", 0o100755),
        GetBlobsResponse(revision="nope", path=b"file"),
        a_blob(repo, b"dir/link", b"../file", 0o120000),
        GetBlobsResponse(
            revision="main",
            path=b"dir/sub",
            oid=submodule,
            mode=0o160000,
            is_submodule=True,
            type=ObjectType.COMMIT,
        ),
        GetBlobsResponse(
            revision="main",
            path=b"dir",
            oid=tree,
            mode=0o40000,
            type=ObjectType.TREE,
            size=int(repo.git("cat-file", "-s", tree)),
        ),
        a_blob(repo, b"file", b"0123456789"),
        a_blob(repo, b"empty", b""),
    ]


@pytest.mark.parametrize(
    ("path", "echoed"),
    [
        (b"", b""),
        (b"/", b"/"),
        (b"//", b""),
        (b"./file", b"./file"),
        (b"dir//run", b"dir//run"),
        (b"/file", b"/file"),
        (b"dir/../file", b"dir/../file"),
        (b"file/x", b"file/x"),
        (b"dir/link/x", b"dir/link/x"),
        (b".", b"."),
        (b"nope/", b"nope"),
    ],
)
async def test_only_plain_paths_of_entries_are_found(
    daemon: Daemon, any_format_repo: Repo, path: bytes, echoed: bytes
) -> None:
    repo = filled(any_format_repo)

    assert await blobs(daemon, repo, ("main", path)) == [GetBlobsResponse(revision="main", path=echoed)]


async def test_any_treeish_is_a_revision(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    repo.tag("v1", repo.git("rev-parse", "main"))
    tree = repo.git("rev-parse", "main^{tree}")

    found = await blobs(
        daemon, repo, *((revision, b"dir/run") for revision in ("v1", tree, "main~0", tree[:9]))
    )

    assert [message.data for message in found] == [b"#!"] * 4
    assert [message.revision for message in found] == ["v1", tree, "main~0", tree[:9]]


@pytest.mark.parametrize(("limit", "sent"), [(0, b""), (3, b"012"), (10, b"0123456789"), (11, b"0123456789")])
async def test_the_limit_is_one_of_bytes(
    daemon: Daemon, any_format_repo: Repo, limit: int, sent: bytes
) -> None:
    repo = filled(any_format_repo)

    found = await blobs(daemon, repo, ("main", b"file"), limit=limit)

    assert found == [a_blob(repo, b"file", b"0123456789", sent=sent)]


async def test_a_large_blob_goes_on_in_messages_of_data_only(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    first, *rest, last = await blobs(daemon, repo, ("main", b"large"), ("main", b"file"))

    assert first == a_blob(repo, b"large", LARGE, sent=first.data)
    assert all(message == GetBlobsResponse(data=message.data) and message.data for message in rest)
    assert first.data + b"".join(message.data for message in rest) == LARGE
    assert last == a_blob(repo, b"file", b"0123456789")


async def test_many_pairs_of_many_folders_are_answered(daemon: Daemon, repo: Repo) -> None:
    paths = [f"{number % 150}/{number}".encode() for number in range(450)]
    repo.commit("x\n", {path: path for path in paths}, ref="refs/heads/main")

    found = await blobs(daemon, repo, *(("main", path) for path in paths))

    assert [(message.path, message.data) for message in found] == [(path, path) for path in paths]


async def test_an_object_that_is_missing_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    gone = "1" * repo.format.hex_length
    repo.commit("x\n", tree=repo.raw_tree([("100644", b"gone", gone)]), ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "read object info: object not found"):
        await blobs(daemon, repo, ("main", b"gone"))


async def test_bad_requests_are_refused_before_any_answer(daemon: Daemon, repo: Repo) -> None:
    filled(repo)

    async with refused(StatusCode.INVALID_ARGUMENT, "empty RevisionPaths"):
        await blobs(daemon, repo)
    async with refused(StatusCode.INVALID_ARGUMENT, "revision can't start with '-'"):
        await blobs(daemon, repo, ("main", b"file"), ("-x", b"file"))
    async with refused(StatusCode.INVALID_ARGUMENT, "empty revision"):
        await blobs(daemon, repo, ("", b"file"))
    async with refused(StatusCode.INVALID_ARGUMENT, "revision can't contain ':'"):
        await blobs(daemon, repo, ("main:dir", b"run"))
