"""CreateBundle (storage-maintenance.md 5), and the worktrees it removes first (2.7)."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import CreateBundleRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.plain_git import PlainGit, assert_same, assert_whole, reachable, references
from tests.support.repositories import Repo
from tests.support.status import broken_off, collect, refused

HOUR = 3600


async def bundle(stub: RepositoryServiceStub, repo: Repo) -> bytes:
    messages = await collect(stub.CreateBundle(CreateBundleRequest(repository=repo.message)))
    assert all(0 < len(message.data) <= 128 * 1024 for message in messages)
    return b"".join(message.data for message in messages)


async def test_git_takes_the_bundle_for_the_whole_repository(
    repositories: RepositoryServiceStub, any_format_repo: Repo, tmp_path: Path
) -> None:
    repo = any_format_repo
    commits = repo.history(5, "refs/heads/main")
    merge = repo.commit("merge\n", {"file": os.urandom(300_000)}, [*commits[-2:], commits[0]])
    repo.ref("refs/heads/merged", merge)
    repo.ref(b"refs/heads/caf\xe9", commits[2])
    repo.tag("v1", commits[1])
    repo.ref("refs/keep-around/x", commits[3])
    file = tmp_path / "repo.bundle"
    file.write_bytes(await bundle(repositories, repo))
    git = PlainGit(tmp_path / "home")

    repo.git("bundle", "verify", str(file))
    git("clone", "-q", "--mirror", str(file), str(tmp_path / "mirror.git"))

    assert_same(tmp_path / "mirror.git", repo.path)
    heads = repo.git("bundle", "list-heads", str(file)).splitlines()
    assert f"{commits[-1]} HEAD" in heads
    assert len(heads) == len(references(repo.path)) + 1


async def test_a_bundle_can_be_cloned(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path
) -> None:
    repo.commit(files={"file": b"content"}, ref="refs/heads/main")
    file = tmp_path / "repo.bundle"
    file.write_bytes(await bundle(repositories, repo))

    PlainGit(tmp_path / "home")("clone", "-q", str(file), str(tmp_path / "clone"))

    assert (tmp_path / "clone/file").read_bytes() == b"content"


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_nothing_to_put_in_is_an_error_that_git_s_header_may_precede(
    repositories: RepositoryServiceStub, new_repo: NewRepo, object_format: str
) -> None:
    repo = new_repo(object_format=object_format)
    messages, error = await broken_off(
        repositories.CreateBundle(CreateBundleRequest(repository=repo.message))
    )

    assert (error.code(), error.details()) == (
        StatusCode.INTERNAL,
        "create bundle: refusing to create empty bundle",
    )
    got = b"".join(message.data for message in messages)
    assert re.fullmatch(rb"(# v2 git bundle\n\n|# v3 git bundle\n@object-format=sha256\n\n)?", got)


async def test_a_repository_that_git_cannot_read_is_an_error_with_its_words(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    Path(repo.path, "refs/heads/main").write_text("1" * 40 + "\n")

    text = "create bundle: exit status 128: stderr: " + '"fatal: bad object refs/heads/main\\n"'
    async with refused(StatusCode.INTERNAL, text):
        await bundle(repositories, repo)


async def test_borrowed_objects_go_in(
    repositories: RepositoryServiceStub, new_repo: NewRepo, tmp_path: Path
) -> None:
    pool = new_repo()
    repo = new_repo()
    oid = pool.commit(files={"file": b"content"}, ref="refs/heads/pool")
    Path(repo.path, "objects/info").mkdir(exist_ok=True)
    Path(repo.path, "objects/info/alternates").write_text(f"{pool.path}/objects\n")
    repo.ref("refs/heads/main", oid)
    file = tmp_path / "repo.bundle"
    file.write_bytes(await bundle(repositories, repo))

    PlainGit(tmp_path / "home")("clone", "-q", "--mirror", str(file), str(tmp_path / "mirror.git"))

    assert_whole(tmp_path / "mirror.git")
    assert reachable(tmp_path / "mirror.git") == reachable(repo.path)


def worktree(repo: Repo, name: str, *, age: float) -> Path:
    """A worktree as operations make them, `age` seconds old."""
    path = Path(repo.path, "gitlab-worktree", name)
    repo.git("worktree", "add", "-q", "--detach", str(path), "main")
    aged(path, age)
    return path


def aged(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def known_worktrees(repo: Repo) -> list[str]:
    """Those that git knows, without the repository itself."""
    lines = repo.git("worktree", "list", "--porcelain").splitlines()
    return [line.rpartition("/")[2] for line in lines if line.startswith("worktree ")][1:]


async def test_old_worktrees_are_removed_and_young_ones_stay(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(files={"file": b"content"}, ref="refs/heads/main")
    old = worktree(repo, "old", age=6.1 * HOUR)
    (old / "file").write_bytes(b"changed")
    aged(old, 6.1 * HOUR)
    young = worktree(repo, "young", age=5.9 * HOUR)
    unknown = Path(repo.path, "gitlab-worktree/unknown")
    unknown.mkdir()
    aged(unknown, 7 * HOUR)
    dashed = Path(repo.path, "gitlab-worktree/--force")
    dashed.mkdir()
    aged(dashed, 7 * HOUR)

    await bundle(repositories, repo)

    assert sorted(path.name for path in old.parent.iterdir()) == [young.name]
    assert known_worktrees(repo) == ["young"]


async def test_the_commit_of_a_worktree_that_is_gone_does_not_matter(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(files={"file": b"content"}, ref="refs/heads/main")
    shutil.rmtree(worktree(repo, "gone", age=0))
    Path(repo.path, "worktrees/gone/HEAD").write_text("1" * 40 + "\n")

    assert (await bundle(repositories, repo)).startswith(b"# v2 git bundle\n")
    assert not Path(repo.path, "worktrees/gone").exists()


async def test_a_locked_worktree_is_an_error(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    path = worktree(repo, "locked", age=7 * HOUR)
    repo.git("worktree", "lock", str(path))

    async with refused(StatusCode.INTERNAL, "cleaning up worktrees: exit status 128"):
        await bundle(repositories, repo)
    assert path.exists()


async def test_a_repository_without_worktrees_costs_one_process(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    repo.commit(ref="refs/heads/main")
    await bundle(repositories, repo)

    entry = await daemon.access_entry("CreateBundle", **{"grpc.request.repoPath": repo.message.relative_path})
    assert entry["command.count"] == 1
