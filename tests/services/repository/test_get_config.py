"""GetConfig (repository.md)."""

from __future__ import annotations

from pathlib import Path

from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetConfigRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def pieces(stub: RepositoryServiceStub, repo: Repo) -> list[bytes]:
    return [each.data for each in await collect(stub.GetConfig(GetConfigRequest(repository=repo.message)))]


async def test_the_file_comes_as_it_is(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    config = Path(any_format_repo.path, "config")
    with config.open("ab") as file:
        file.write(b"# \xff\xfe\r\n[include]\n\tpath = other\n[broken")

    assert await pieces(repositories, any_format_repo) == [config.read_bytes()]


async def test_a_long_file_comes_in_pieces(repositories: RepositoryServiceStub, repo: Repo) -> None:
    config = Path(repo.path, "config")
    for size in (128 * 1024, 128 * 1024 + 1, 300_000):
        content = bytes(range(256)) * (size // 256) + b"#" * (size % 256)
        config.write_bytes(content)

        found = await pieces(repositories, repo)

        assert b"".join(found) == content
        assert [len(piece) for piece in found[:-1]] == [128 * 1024] * (len(found) - 1)


async def test_an_empty_file_is_no_message(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "config").write_bytes(b"")

    assert await pieces(repositories, repo) == []


async def test_a_link_is_followed(repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path) -> None:
    config = Path(repo.path, "config")
    config.rename(tmp_path / "elsewhere")
    config.symlink_to(tmp_path / "elsewhere")

    assert await pieces(repositories, repo) == [(tmp_path / "elsewhere").read_bytes()]


async def test_an_absent_file_is_not_found(repositories: RepositoryServiceStub, repo: Repo) -> None:
    path = Path(repo.path, "config")
    path.unlink()

    text = f"opening gitconfig: open {path}: no such file or directory"
    async with refused(StatusCode.NOT_FOUND, text):
        await pieces(repositories, repo)


async def test_what_is_no_file_is_an_error(repositories: RepositoryServiceStub, repo: Repo) -> None:
    path = Path(repo.path, "config")
    path.unlink()
    path.symlink_to(path)
    text = f"opening gitconfig: open {path}: too many levels of symbolic links"
    async with refused(StatusCode.INTERNAL, text):
        await pieces(repositories, repo)

    path.unlink()
    path.mkdir()
    async with refused(StatusCode.INTERNAL, f"read {path}: is a directory"):
        await pieces(repositories, repo)
