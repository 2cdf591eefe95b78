"""FastExport (repository.md)."""

from __future__ import annotations

import os
from pathlib import Path

from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import FastExportRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.fixtures import NewRepo
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def pieces(stub: RepositoryServiceStub, repo: Repo) -> list[bytes]:
    messages = await collect(stub.FastExport(FastExportRequest(repository=repo.message)))
    return [message.data for message in messages]


def varied(repo: Repo) -> None:
    """Merges, tags, unusual names and contents, on several references."""
    root = repo.commit("root\n", {"file": b"one\n", "run": ("100755", b"#!\n"), "link": ("120000", b"file")})
    left = repo.commit(b"not UTF-8: \xff\n", {b'caf\xe9 "x"\n': b"\0\1", "a/b/c": b""}, [root])
    right = repo.commit("right\n", {"module": ("160000", "1" * repo.format.hex_length)}, [root])
    repo.commit("octopus\n", {"file": b"x" * 100_000}, [left, right, root], "refs/heads/main")
    repo.ref(b"refs/heads/caf\xe9", left)
    repo.ref("refs/keep-around/x", right)
    repo.tag("v1", root)
    repo.tag("light", root, None)


async def test_it_is_what_git_exports(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    varied(any_format_repo)

    found = await pieces(repositories, any_format_repo)

    assert b"".join(found) == any_format_repo.git_bytes("fast-export", "--all")


async def test_git_can_import_it_into_the_other_format(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    old, new = new_repo(), new_repo(object_format="sha256")
    old.history(3, "refs/heads/main")
    old.tag("v1", old.git("rev-parse", "main"))

    new.git("fast-import", "--quiet", stdin=b"".join(await pieces(repositories, old)))

    assert set(new.references()) == {b"refs/heads/main", b"refs/tags/v1"}
    log = ("log", "--format=%s %at", "main")
    assert new.git(*log) == old.git(*log)


async def test_a_long_export_comes_in_pieces(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(files={"large": os.urandom(3_000_000)}, ref="refs/heads/main")

    found = await pieces(repositories, repo)

    assert max(map(len, found)) <= 128 * 1024
    assert b"".join(found) == repo.git_bytes("fast-export", "--all")


async def test_an_empty_repository_is_no_message(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await pieces(repositories, any_format_repo) == []


async def test_where_git_stops_the_export_ends_without_an_error(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    root = repo.commit("root\n", {"file": b"x"}, ref="refs/heads/main")
    signature = b"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
    repo.tag("signed", root, b"release\n" + signature)

    found = b"".join(await pieces(repositories, repo))

    assert found.startswith(b"blob\nmark :1\n")
    assert b"commit refs/heads/main\n" in found
    assert b"tag signed" not in found


async def test_a_repository_must_be_named(repositories: RepositoryServiceStub) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "repository is not set"):
        await collect(repositories.FastExport(FastExportRequest()))


async def test_a_repository_that_cannot_be_used_is_one_git_does_not_start_in(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    request = FastExportRequest(repository=Repository(storage_name="default"))
    text = "cmd start failed: get repo path: repository path not set"
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await collect(repositories.FastExport(request))

    config = Path(repo.path, "config")
    config.unlink()
    text = f"cmd start failed: open: open {config}: no such file or directory"
    async with refused(StatusCode.INTERNAL, text):
        await pieces(repositories, repo)
