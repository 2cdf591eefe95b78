"""CommitService/ListFiles (commit.md 3.3)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import ListFilesRequest, ListFilesResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, revision: bytes = b"main") -> list[ListFilesResponse]:
    request = ListFilesRequest(repository=repo.message, revision=revision)
    return await collect(daemon.stub(CommitServiceStub).ListFiles(request))


async def files(daemon: Daemon, repo: Repo, revision: bytes = b"main") -> list[bytes]:
    return [path for message in await responses(daemon, repo, revision) for path in message.paths]


async def test_files_and_links_are_listed_in_tree_order(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    entries: dict[str | bytes, Entry] = {
        "plain": b"1",
        "dir/deep/er": b"1",
        "dir.file": b"1",
        "dir-": ("100755", b"1"),
        "link": ("120000", b"plain"),
        "submodule": ("160000", "1" * repo.format.hex_length),
        b"\xff\xfe": b"1",
        'quote"d\t\n': b"1",
        "-x": b"1",
        "x" * 300: b"1",
    }
    oid = repo.commit("c\n", entries, ref="refs/heads/main")
    repo.tag("v1", oid)
    tree = repo.git("rev-parse", "main^{tree}")
    listed = repo.git_bytes("ls-tree", "-r", "-z", "--name-only", "main").split(b"\0")[:-1]
    expected = [path for path in listed if path != b"submodule"]

    assert len(expected) == 9
    for revision in (b"main", b"", b"v1", oid.encode(), oid[:10].encode(), tree.encode(), b"HEAD~0"):
        assert await files(daemon, repo, revision) == expected, revision


async def test_without_a_revision_the_default_branch_is_listed(daemon: Daemon, repo: Repo) -> None:
    repo.commit("a\n", {"other": b""}, ref="refs/heads/aaa")
    assert await files(daemon, repo, b"") == [b"other"]
    repo.commit("m\n", {"master": b""}, ref="refs/heads/master")
    assert await files(daemon, repo, b"") == [b"master"]


async def test_a_repository_without_branches_has_no_default_one(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    async with refused(StatusCode.FAILED_PRECONDITION, "repository does not have a default branch"):
        await responses(daemon, any_format_repo, b"")


async def test_a_detached_head_leaves_the_default_branch_unknown(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("a\n", {"other": b""}, ref="refs/heads/main")
    Path(repo.path, "HEAD").write_text(oid + "\n")

    async with refused(StatusCode.NOT_FOUND, 'revision not found ""'):
        await responses(daemon, repo, b"")


async def test_what_is_no_revision_gives_one_empty_message(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.commit("a\n", {"file": b""}, ref="refs/heads/main")

    for revision in (b"nope", b"main~4", b"main..main", b"\xff"):
        assert await responses(daemon, any_format_repo, revision) == [ListFilesResponse()], revision


async def test_an_id_without_a_tree_gives_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    blob = repo.blob(b"content")
    empty = repo.commit("empty\n", {})

    for revision in ("f" * repo.format.hex_length, blob, empty):
        assert await responses(daemon, repo, revision.encode()) == [], revision


async def test_many_files_come_in_several_messages(daemon: Daemon, repo: Repo) -> None:
    blob = repo.blob(b"")
    names = [f"{number:05}{'x' * (number % 200)}" for number in range(20_000)]
    entries: dict[str | bytes, Entry] = dict.fromkeys(names, ("100644", blob))
    entries["submodule"] = ("160000", "1" * 40)
    repo.commit("many\n", entries, ref="refs/heads/main")

    messages = await responses(daemon, repo)

    listed = [path for message in messages for path in message.paths]
    assert listed == [name.encode() for name in names]
    assert 2 < len(messages) < 6
    assert all(message.ByteSize() < 1_200_000 for message in messages)


async def test_a_quarantine_shows_only_its_own_objects(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    old = repo.commit("old\n", {"old": b""}, ref="refs/heads/main").encode()
    quarantine = {"GIT_OBJECT_DIRECTORY": os.path.join(repo.path, "objects", "incoming")}
    os.mkdir(quarantine["GIT_OBJECT_DIRECTORY"])
    blob = repo.git("hash-object", "-w", "--stdin", stdin="new", env=quarantine)
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tnew\n", env=quarantine)
    new = repo.git("commit-tree", "-m", "new", tree, env=quarantine).encode()
    assert await files(daemon, repo, new) == []

    repo.message.git_object_directory = "objects/incoming"
    assert (await files(daemon, repo, new), await files(daemon, repo, old)) == ([b"new"], [])

    repo.message.git_alternate_object_directories.append("objects")
    assert (await files(daemon, repo, new), await files(daemon, repo, old)) == ([b"new"], [b"old"])


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (b"-main", "revision can't start with '-'"),
        (b"main\0", "revision can't contain NUL"),
        (b"main:dir", "revision can't contain ':'"),
        (b"a b", "revision can't contain whitespace"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revision: bytes, text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, revision)
