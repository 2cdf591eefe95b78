"""GetSnapshot (storage-maintenance.md 6)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetSnapshotRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.plain_git import assert_same, assert_whole, objects, references
from tests.support.repositories import Repo
from tests.support.status import broken_off, collect, refused
from tests.support.tars import contents, members, names, unpacked

FILES: dict[str | bytes, bytes] = {"file": b"content", b"caf\xe9/\xff": b"odd name"}


async def snapshot(stub: RepositoryServiceStub, repo: Repo) -> bytes:
    messages = await collect(stub.GetSnapshot(GetSnapshotRequest(repository=repo.message)))
    assert all(0 < len(message.data) <= 128 * 1024 for message in messages)
    return b"".join(message.data for message in messages)


def write(repo: Repo, name: str, data: bytes = b"x") -> Path:
    path = Path(repo.path, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


async def test_what_is_unpacked_is_the_same_repository(
    repositories: RepositoryServiceStub, any_format_repo: Repo, tmp_path: Path
) -> None:
    repo = any_format_repo
    first = repo.commit(files=FILES, ref="refs/heads/main")
    repo.tag("v1", first)
    repo.git("pack-refs", "--all")
    repo.git("repack", "-adq")
    repo.ref("refs/keep-around/x", repo.commit(files={"file": os.urandom(400_000)}, parents=[first]))
    repo.ref(b"refs/heads/\xff-" + b"long/" * 30 + b"name", first)
    unreachable = repo.blob(b"nobody refers to me")

    folder = unpacked(await snapshot(repositories, repo), tmp_path / "copy")

    assert_same(folder, repo.path)
    assert any(line.startswith(unreachable) for line in objects(folder))
    assert (folder / "HEAD").read_bytes() == Path(repo.path, "HEAD").read_bytes()


async def test_entries_come_in_order_and_nothing_private_is_among_them(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    oid = repo.commit(files={"file": b"content"}, ref="refs/heads/packed")
    repo.git("pack-refs", "--all")
    repo.git("repack", "-adbq", "--write-midx")
    repo.git("commit-graph", "write", "--reachable")
    repo.git("config", "remote.origin.url", "https://user:secret@example.com/")
    pack = next(Path(repo.path, "objects/pack").glob("*.pack")).name.removesuffix(".pack")
    loose = repo.blob(b"loose")
    repo.ref("refs/heads/main", oid)
    for name in (
        "branches/old", "shallow", "hooks/update", "custom_hooks/update", "info/attributes", "logs/HEAD",
        "worktrees/w/HEAD", "modules/m/HEAD", "FETCH_HEAD", "objects/info/alternates.bak",
        f"objects/pack/{pack}.keep", "objects/ab/garbage", "objects/pack/tmp_pack_x",
    ):  # fmt: skip
        write(repo, name, b"")

    archive = await snapshot(repositories, repo)

    assert names(archive) == [
        "HEAD", "packed-refs", "config", "refs/", "refs/heads/", "refs/heads/main", "refs/tags/",
        "branches/", "branches/old", f"objects/{loose[:2]}/{loose[2:]}", f"objects/pack/{pack}.idx",
        f"objects/pack/{pack}.pack", "shallow",
    ]  # fmt: skip
    assert contents(archive)["config"] == b"[core]\n\trepositoryformatversion = 0\n"
    assert b"secret" not in archive


async def test_equal_repositories_have_equal_snapshots(
    repositories: RepositoryServiceStub, new_repo: NewRepo
) -> None:
    repo, other = new_repo(), new_repo()
    repo.history(5, "refs/heads/main")
    shutil.rmtree(other.path)
    shutil.copytree(repo.path, other.path)

    assert await snapshot(repositories, repo) == await snapshot(repositories, other)


async def test_whoever_unpacks_may_write_everything(repositories: RepositoryServiceStub, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    Path(repo.path, "HEAD").chmod(0o400)
    Path(repo.path, "refs/heads/main").chmod(0o700)
    Path(repo.path, "refs/tags").chmod(0o500)
    Path(repo.path, "objects", oid[:2], oid[2:]).chmod(0o444)

    modes = {found.name: found.mode for found in members(await snapshot(repositories, repo))}

    assert (modes["HEAD"], modes["refs/heads/main"], modes["refs/tags"]) == (0o666, 0o777, 0o777)
    assert modes[f"objects/{oid[:2]}/{oid[2:]}"] == 0o666


async def test_an_empty_repository_has_a_snapshot(
    repositories: RepositoryServiceStub, any_format_repo: Repo, tmp_path: Path
) -> None:
    archive = await snapshot(repositories, any_format_repo)

    assert names(archive) == ["HEAD", "config", "refs/", "refs/heads/", "refs/tags/"]
    empty = Repo.init(tmp_path / "copy.git")
    subprocess.run(["tar", "-C", empty.path, "-xf", "-"], input=archive, check=True)
    assert empty.git("rev-parse", "--show-object-format") == any_format_repo.format.name
    assert (references(empty.path), objects(empty.path)) == ([], set())


async def test_an_empty_config_stays_empty(repositories: RepositoryServiceStub, repo: Repo) -> None:
    write(repo, "config", b"[user]\n\tname = x\n")

    assert contents(await snapshot(repositories, repo))["config"] == b""


async def test_borrowed_objects_become_its_own(
    repositories: RepositoryServiceStub, new_repo: NewRepo, tmp_path: Path
) -> None:
    pools = [new_repo() for _ in range(2)]
    commits = [pool.commit(f"pool {pool.path}\n", {"file": pool.path.encode()}) for pool in pools]
    pools[0].ref("refs/heads/main", commits[0])
    pools[0].git("repack", "-adq")
    write(pools[0], "objects/info/alternates", f"{pools[1].path}/objects".encode())
    repo = new_repo()
    relative = os.path.relpath(f"{pools[0].path}/objects", f"{repo.path}/objects")
    write(repo, "objects/info/alternates", f"# pool\n{relative}\n../../gone.git/objects\n".encode())
    repo.ref("refs/heads/main", repo.commit(parents=commits[:1], files={"own": b"own"}))
    repo.ref("refs/heads/other", commits[1])

    archive = await snapshot(repositories, repo)

    folder = unpacked(archive, tmp_path / "copy")
    assert references(folder) == references(repo.path)
    assert objects(folder) == objects(repo.path)
    assert_whole(folder)
    assert "objects/info/alternates" not in names(archive)


async def test_an_alternate_outside_the_storage_is_logged_and_left_out(
    repositories: RepositoryServiceStub, daemon: Daemon, new_repo: NewRepo, tmp_path: Path
) -> None:
    outside = Repo.init(tmp_path / "outside.git")
    outside.blob(b"outside")
    pool = new_repo()
    pool.blob(b"pool")
    repo = new_repo()
    own = repo.blob(b"own")
    write(repo, "objects/info/alternates", f"{pool.path}/objects\n{outside.path}/objects\n".encode())

    archive = await snapshot(repositories, repo)

    assert [name for name in names(archive) if "objects" in name] == [f"objects/{own[:2]}/{own[2:]}"]
    assert archive.endswith(bytes(1024))
    warning = f'alternate "{outside.path}/objects" is outside the storage root'
    assert any(
        entry.get("error") == warning and entry["level"] == "warning" for entry in daemon.log_entries()
    )


async def test_alternates_that_cannot_be_read_are_left_out(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    Path(repo.path, "objects/info/alternates").mkdir(parents=True)

    archive = await snapshot(repositories, repo)

    assert names(archive)[0] == "HEAD"
    assert archive.endswith(bytes(1024))


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "config", "shallow"])
async def test_a_link_in_place_of_a_file_is_an_error(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "target"
    path = Path(repo.path, name)
    target.write_bytes(path.read_bytes() if path.exists() else b"")
    path.unlink(missing_ok=True)
    path.symlink_to(target)

    text = f"building snapshot failed: open {path}: too many levels of symbolic links"
    async with refused(StatusCode.INTERNAL, text):
        await snapshot(repositories, repo)


async def test_links_and_pipes_inside_of_folders_are_left_out(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path
) -> None:
    oid = repo.commit(ref="refs/heads/main")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    Path(repo.path, "refs/heads/link").symlink_to(secret)
    Path(repo.path, "refs/heads/folder").symlink_to(tmp_path)
    Path(repo.path, "objects", oid[:2], "0" * 38).symlink_to(secret)
    Path(repo.path, "branches").symlink_to(tmp_path)
    os.mkfifo(f"{repo.path}/refs/heads/pipe")

    archive = await snapshot(repositories, repo)

    assert [name for name in names(archive) if "refs/heads/" in name] == ["refs/heads/", "refs/heads/main"]
    assert b"secret" not in archive
    assert not any(found.issym() or "0" * 38 in found.name for found in members(archive))
    assert "branches/" not in names(archive)


async def test_an_error_may_come_after_data(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(files={"large": os.urandom(2 * 1024 * 1024)}, ref="refs/heads/main")
    write(repo, "target")
    Path(repo.path, "shallow").symlink_to("target")

    messages, error = await broken_off(repositories.GetSnapshot(GetSnapshotRequest(repository=repo.message)))

    assert error.code() == StatusCode.INTERNAL
    assert sum(len(message.data) for message in messages) > 1024 * 1024


async def test_a_client_that_hangs_up_ends_the_reading(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    large = Path(repo.path, "refs/heads/large")
    with large.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    call = repositories.GetSnapshot(GetSnapshotRequest(repository=repo.message))
    assert (await call.read()).data
    call.cancel()

    entry = await daemon.access_entry("GetSnapshot", **{"grpc.request.repoPath": repo.message.relative_path})
    assert entry["grpc.code"] == "Canceled"
    assert entry["grpc.response.payload_bytes"] < 100 * 1024 * 1024
    assert not [each for each in daemon.worker.open_files() if each.path == str(large)]
