"""CommitService/GetTreeEntries without pages (commit.md 3.3); for pages see test_get_tree_entries_pages."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import (
    GetTreeEntriesError,
    GetTreeEntriesRequest,
    GetTreeEntriesResponse,
    TreeEntry,
)
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.errors_pb2 import PathError, ResolveRevisionError
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

TYPES = {"blob": TreeEntry.BLOB, "tree": TreeEntry.TREE, "commit": TreeEntry.COMMIT}


async def responses(
    daemon: Daemon, repo: Repo, path: bytes = b".", revision: bytes = b"main", **fields: Any
) -> list[GetTreeEntriesResponse]:
    request = GetTreeEntriesRequest(repository=repo.message, revision=revision, path=path, **fields)
    return await collect(daemon.stub(CommitServiceStub).GetTreeEntries(request))


async def entries(daemon: Daemon, repo: Repo, *args: Any, **fields: Any) -> list[TreeEntry]:
    return [entry for message in await responses(daemon, repo, *args, **fields) for entry in message.entries]


async def paths(daemon: Daemon, repo: Repo, *args: Any, **fields: Any) -> list[bytes]:
    return [entry.path for entry in await entries(daemon, repo, *args, **fields)]


def filled(repo: Repo) -> Repo:
    repo.commit(
        "x\n",
        {
            "Foo.A/Bar": b"1",
            "Foo.A.Test/Bar": b"2",
            "a b": ("100755", b"3"),
            "dir/file": b"4",
            "dir/only/deep/file": b"5",
            "dir/sub": ("160000", "1" * repo.format.hex_length),
            "link": ("120000", b"dir"),
            b"odd\xff\n\t": b"6",
        },
        ref="refs/heads/main",
    )
    return repo


def listed(repo: Repo, *args: str, prefix: bytes = b"") -> list[TreeEntry]:
    """What git lists, as messages without flat paths."""
    found = []
    for line in repo.git_bytes("ls-tree", "-z", *args).split(b"\0")[:-1]:
        head, path = line.split(b"\t", 1)
        mode, kind, oid = head.decode().split()
        path = prefix + path
        entry = TreeEntry(oid=oid, path=path, type=TYPES[kind], mode=int(mode, 8), commit_oid="main")
        found.append(entry)
    return found


async def test_all_levels_are_listed_as_git_lists_them(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    assert await entries(daemon, repo, recursive=True) == listed(repo, "-r", "-t", "main")
    assert await entries(daemon, repo, b"dir", recursive=True) == listed(
        repo, "-r", "-t", "main:dir", prefix=b"dir/"
    )


async def test_one_level_has_flat_paths_unless_they_are_unwanted(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = filled(any_format_repo)
    expected = listed(repo, "main:dir", prefix=b"dir/")

    assert await entries(daemon, repo, b"dir/", skip_flat_paths=True) == expected
    for entry in expected:
        entry.flat_path = b"dir/only/deep" if entry.path == b"dir/only" else entry.path
    assert await entries(daemon, repo, b"dir") == expected


async def test_flat_paths_go_down_nine_folders(daemon: Daemon, any_format_repo: Repo) -> None:
    deep = "/".join(str(level) for level in range(12))
    any_format_repo.commit("x\n", {f"{deep}/file": b"x"}, ref="refs/heads/main")

    [entry] = await entries(daemon, any_format_repo, b"0")

    assert (entry.path, entry.flat_path) == (b"0/1", b"0/1/2/3/4/5/6/7/8/9/10")


async def test_flat_paths_stop_at_anything_but_a_single_folder(daemon: Daemon, repo: Repo) -> None:
    submodule = ("160000", "1" * 40)
    repo.commit(
        "x\n", {"a/file": b"1", "b/c/x": b"1", "b/d/x": b"1", "e/sub": submodule}, ref="refs/heads/main"
    )

    assert [entry.flat_path for entry in await entries(daemon, repo)] == [b"a", b"b", b"e"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (GetTreeEntriesRequest.DEFAULT, [b"Foo.A.Test", b"Foo.A", b"a b", b"dir", b"link", b"odd\xff\n\t"]),
        (
            GetTreeEntriesRequest.TREES_FIRST,
            [b"Foo.A.Test", b"Foo.A", b"dir", b"a b", b"link", b"odd\xff\n\t"],
        ),
        (
            GetTreeEntriesRequest.FILESYSTEM,
            [b"Foo.A", b"Foo.A.Test", b"a b", b"dir", b"link", b"odd\xff\n\t"],
        ),
    ],
)
async def test_one_level_is_sorted(
    daemon: Daemon, any_format_repo: Repo, sort: Any, expected: list[bytes]
) -> None:
    assert await paths(daemon, filled(any_format_repo), sort=sort) == expected


async def test_all_levels_are_sorted(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    order = [TreeEntry.TREE, TreeEntry.BLOB, TreeEntry.COMMIT]
    expected = listed(repo, "-r", "-t", "main")

    by_type = await entries(daemon, repo, recursive=True, sort=GetTreeEntriesRequest.TREES_FIRST)
    by_path = await paths(daemon, repo, recursive=True, sort=GetTreeEntriesRequest.FILESYSTEM)

    assert by_type == sorted(expected, key=lambda entry: order.index(entry.type))
    assert by_path[:4] == [b"Foo.A", b"Foo.A.Test", b"Foo.A.Test/Bar", b"Foo.A/Bar"]
    assert by_path == sorted(entry.path for entry in expected)


@pytest.mark.parametrize("recursive", [False, True])
async def test_modes_are_canonical(daemon: Daemon, any_format_repo: Repo, recursive: bool) -> None:
    repo = any_format_repo
    blob, sub = repo.blob(b"x"), "1" * repo.format.hex_length
    modes = [
        ("100664", b"a"),
        ("100600", b"b"),
        ("100777", b"c"),
        ("120777", b"d"),
        ("040000", b"e"),
        ("160777", b"f"),
    ]
    oids = {b"e": repo.tree({}), b"f": sub}
    repo.commit(
        "x\n",
        tree=repo.raw_tree([(mode, name, oids.get(name, blob)) for mode, name in modes]),
        ref="refs/heads/main",
    )

    found = await entries(daemon, repo, recursive=recursive)

    assert [entry.mode for entry in found] == [0o100644, 0o100644, 0o100755, 0o120000, 0o40000, 0o160000]


async def test_a_large_folder_is_listed_in_several_messages(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    blob = repo.blob(b"x")
    names = [b"%04d" % number + b"n" * 200 for number in range(6000)]
    tree = repo.raw_tree([("100644", name, blob) for name in names])
    repo.commit("x\n", tree=repo.raw_tree([("40000", b"dir", tree)]), ref="refs/heads/main")

    for fields in ({"recursive": True}, {"skip_flat_paths": True}, {}):
        messages = await responses(daemon, repo, b"dir", **fields)
        assert [entry.path for message in messages for entry in message.entries] == [
            b"dir/" + each for each in names
        ]
        assert [message.HasField("pagination_cursor") for message in messages] == [True] + [False] * (
            len(messages) - 1
        )
        assert len(messages) > 1
        assert all(message.ByteSize() < 1_500_000 for message in messages)


async def test_the_first_message_has_an_empty_cursor(daemon: Daemon, any_format_repo: Repo) -> None:
    [message] = await responses(daemon, filled(any_format_repo))

    assert message.HasField("pagination_cursor")
    assert message.pagination_cursor.next_cursor == ""


@pytest.mark.parametrize("recursive", [False, True])
async def test_an_empty_tree_is_no_message(daemon: Daemon, any_format_repo: Repo, recursive: bool) -> None:
    repo = any_format_repo
    # Like most real ones, this empty tree is not in the object database.
    data = b"tree %s\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx" % repo.format.empty_tree.encode()
    repo.ref("refs/heads/main", repo.object("commit", data))

    assert await responses(daemon, repo, recursive=recursive) == []


async def test_the_revision_is_echoed_as_it_was_requested(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    tree = repo.git("rev-parse", "main^{tree}")

    for revision in ("HEAD", "main~0", tree):
        [first, *_] = await entries(daemon, repo, revision=revision.encode())
        assert first.commit_oid == revision


async def test_a_revision_that_is_no_utf8_is_echoed_as_far_as_it_can_be(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {"file": b"x"}, ref=b"refs/heads/odd\xff")

    for recursive in (False, True):
        [entry] = await entries(daemon, repo, revision=b"odd\xff", recursive=recursive)
        assert (entry.path, entry.commit_oid) == (b"file", "odd\ufffd")


def unresolved(revision: bytes) -> GetTreeEntriesError:
    return GetTreeEntriesError(resolve_tree=ResolveRevisionError(revision=revision))


@pytest.mark.parametrize(
    ("revision", "path"),
    [
        (b"nope", b"."),
        (b"main", b"nope"),
        (b"main", b"./dir"),
        (b"main", b"../dir"),
        (b"main", b"/dir"),
        (b"main", b"dir//only"),
        (b"main", b"dir/."),
        (b"main", b"dir//"),
        (b"main", b"dir/sub/x"),
        (b"main", b"dir/file/x"),
    ],
)
async def test_what_does_not_resolve_is_refused(
    daemon: Daemon, any_format_repo: Repo, revision: bytes, path: bytes
) -> None:
    repo = filled(any_format_repo)

    async with refused(StatusCode.INVALID_ARGUMENT, "invalid revision or path", unresolved(revision)):
        await responses(daemon, repo, path, revision)
    async with refused(StatusCode.NOT_FOUND, "invalid revision or path", unresolved(revision)):
        await responses(daemon, repo, path, revision, recursive=True)


@pytest.mark.parametrize("recursive", [False, True])
async def test_what_is_no_tree_is_refused(daemon: Daemon, any_format_repo: Repo, recursive: bool) -> None:
    repo = filled(any_format_repo)

    async with refused(StatusCode.INVALID_ARGUMENT, "path not treeish", unresolved(b"main")):
        await responses(daemon, repo, b"dir/file", recursive=recursive)
    async with refused(StatusCode.NOT_FOUND, "revision doesn't exist", unresolved(b"main")):
        await responses(daemon, repo, b"dir/sub", recursive=recursive)


async def test_an_empty_path_is_refused(daemon: Daemon, repo: Repo) -> None:
    detail = GetTreeEntriesError(path=PathError(error_type=PathError.ERROR_TYPE_EMPTY_PATH))

    async with refused(StatusCode.INVALID_ARGUMENT, "empty path", detail):
        await responses(daemon, repo, b"")
    async with refused(StatusCode.INVALID_ARGUMENT, "empty revision"):
        await responses(daemon, repo, b"", b"")
    async with refused(StatusCode.INVALID_ARGUMENT, "revision can't contain ':'"):
        await responses(daemon, repo, b".", b"main:dir")


async def test_a_missing_subtree_fails_the_listing(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", tree=repo.raw_tree([("40000", b"gone", "1" * 40)]), ref="refs/heads/main")

    assert await paths(daemon, repo) == [b"gone"]
    async with refused(StatusCode.INTERNAL):
        await responses(daemon, repo, recursive=True)
