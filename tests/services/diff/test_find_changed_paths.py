"""DiffService/FindChangedPaths (diff-conflicts.md 6)."""

from __future__ import annotations

import os
import shutil
from typing import Any, NamedTuple

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import ChangedPaths, FindChangedPathsRequest, FindChangedPathsResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.diffs import odd_pair
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Request = FindChangedPathsRequest

STATUSES = {
    "A": ChangedPaths.ADDED,
    "M": ChangedPaths.MODIFIED,
    "D": ChangedPaths.DELETED,
    "T": ChangedPaths.TYPE_CHANGE,
    "C": ChangedPaths.COPIED,
    "R": ChangedPaths.RENAMED,
}


class Path(NamedTuple):
    """A ChangedPaths message without its commit."""

    path: bytes
    status: int
    old_mode: int
    new_mode: int
    old_blob_id: str
    new_blob_id: str
    old_path: bytes = b""


def commit(revision: str, *parents: str) -> Request.Request:
    return Request.Request(
        commit_request=Request.Request.CommitRequest(
            commit_revision=revision, parent_commit_revisions=parents
        )
    )


def trees(left: str, right: str) -> Request.Request:
    return Request.Request(
        tree_request=Request.Request.TreeRequest(left_tree_revision=left, right_tree_revision=right)
    )


async def responses(
    daemon: Daemon, repo: Repo, *requests: Request.Request, **fields: Any
) -> list[FindChangedPathsResponse]:
    fields.setdefault("repository", repo.message)
    request = Request(requests=requests, **fields)
    return await collect(daemon.stub(DiffServiceStub).FindChangedPaths(request))


async def changed(
    daemon: Daemon, repo: Repo, *requests: Request.Request, **fields: Any
) -> list[ChangedPaths]:
    return [
        path for response in await responses(daemon, repo, *requests, **fields) for path in response.paths
    ]


async def found(daemon: Daemon, repo: Repo, *requests: Request.Request, **fields: Any) -> list[Path]:
    """The paths of a request that is not one of commits only."""
    paths = await changed(daemon, repo, *requests, **fields)
    assert not any(path.commit_id or path.score for path in paths)
    return [without_commit(path) for path in paths]


def without_commit(path: ChangedPaths) -> Path:
    return Path(*(getattr(path, field) for field in Path._fields))


def diff_tree(repo: Repo, *args: str) -> list[Path]:
    """What git says of two trees, or of a commit that is no merge."""
    digits = repo.format.hex_length
    output = repo.git_bytes("diff-tree", "-r", "-z", "--root", "--no-commit-id", f"--abbrev={digits}", *args)
    fields = output.split(b"\0")[:-1]
    paths = []
    while fields:
        old_mode, new_mode, old, new, status = fields.pop(0).decode()[1:].split(" ")
        old_path = fields.pop(0) if status[0] in "RC" else b""
        paths.append(
            Path(fields.pop(0), STATUSES[status[0]], int(old_mode, 8), int(new_mode, 8), old, new, old_path)
        )
    return paths


async def test_every_kind_of_change_is_told_as_git_has_it(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    plain = await found(daemon, any_format_repo, trees(left, right))
    renamed = await found(daemon, any_format_repo, trees("left", "right"), find_renames=True)

    assert plain == diff_tree(any_format_repo, "--no-renames", left, right)
    assert renamed == diff_tree(any_format_repo, "--find-renames=30%", left, right)
    assert plain != renamed
    assert {path.status for path in renamed} == {
        ChangedPaths.ADDED,
        ChangedPaths.DELETED,
        ChangedPaths.MODIFIED,
        ChangedPaths.TYPE_CHANGE,
        ChangedPaths.RENAMED,
    }
    assert b"not\xffutf-8" in {path.path for path in plain}


async def test_a_rename_is_found_from_thirty_percent_on(daemon: Daemon, repo: Repo) -> None:
    lines = [b"%d\n" % number * 10 for number in range(10)]
    left = repo.commit(files={"a": b"".join(lines)})
    similar = repo.commit(files={"b": b"".join(lines[:4]) + b"x\n" * 60})
    other = repo.commit(files={"b": b"".join(lines[:2]) + b"x\n" * 80})

    [renamed] = await found(daemon, repo, trees(left, similar), find_renames=True)
    apart = await found(daemon, repo, trees(left, other), find_renames=True)

    assert (renamed.status, renamed.old_path, renamed.path) == (ChangedPaths.RENAMED, b"a", b"b")
    assert [path.status for path in apart] == [ChangedPaths.DELETED, ChangedPaths.ADDED]


async def test_commits_are_compared_with_their_parents_and_named(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    root = any_format_repo.commit(files={"a": b"1", "b/c": b"2"})
    second = any_format_repo.commit(files={"a": b"1", "b/c": b"3"}, parents=[root])
    same = any_format_repo.commit(parents=[second])
    any_format_repo.tag("v1", second)

    paths = await changed(daemon, any_format_repo, commit("v1"), commit(same), commit(root[:12]))

    assert [path.commit_id for path in paths] == [second, root, root]
    assert [without_commit(path) for path in paths] == [
        *diff_tree(any_format_repo, second),
        *diff_tree(any_format_repo, root),
    ]
    assert [(path.status, path.old_mode) for path in paths[1:]] == [(ChangedPaths.ADDED, 0)] * 2
    assert paths[1].old_blob_id == any_format_repo.format.zero_oid
    [previous] = await changed(daemon, any_format_repo, commit("v1^0"))
    assert previous.commit_id == second


async def test_the_old_form_names_commits_only(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = any_format_repo.history(3, ref="refs/heads/main")

    paths = await changed(daemon, any_format_repo, commits=["main", commits[0]])

    assert [(path.commit_id, path.path) for path in paths] == [(commits[2], b"file"), (commits[0], b"file")]


async def test_a_request_of_trees_too_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2)
    empty = any_format_repo.format.empty_tree

    paths = await found(
        daemon,
        any_format_repo,
        trees(first, first),
        commit(second),
        trees(first, first),
        trees(empty, second),
        trees(f"{second}^{{tree}}", first),
        trees(first, first),
    )

    assert paths == [
        *diff_tree(any_format_repo, second),
        *diff_tree(any_format_repo, empty, second),
        *diff_tree(any_format_repo, second, first),
    ]


class Merge(NamedTuple):
    """base - left, right, third - merge of those three; `a` differs from all, `b` from two."""

    base: str
    left: str
    right: str
    third: str
    merge: str


def octopus(repo: Repo) -> Merge:
    text = b"line\n" * 20
    base = repo.commit(files={"a": b"0", "b": b"0", "c": text})
    left = repo.commit(files={"a": b"1", "b": b"0", "c": text}, parents=[base])
    right = repo.commit(files={"a": ("100755", b"2"), "b": b"1", "c": text}, parents=[base])
    third = repo.commit(files={"b": b"0", "moved": text}, parents=[base])
    merged = {"a": b"3", "b": b"1", "moved again": text}
    merge = repo.commit(files=merged, parents=[left, right, third], ref="refs/heads/main")
    return Merge(base, left, right, third, merge)


@pytest.mark.parametrize(
    "mode", [Request.MERGE_COMMIT_DIFF_MODE_UNSPECIFIED, Request.MERGE_COMMIT_DIFF_MODE_INCLUDE_MERGES]
)
async def test_merges_are_compared_with_each_parent(daemon: Daemon, any_format_repo: Repo, mode: Any) -> None:
    each = octopus(any_format_repo)

    paths = await changed(daemon, any_format_repo, commit("main"), merge_commit_diff_mode=mode)

    assert [without_commit(path) for path in paths] == [
        path
        for parent in (each.left, each.right, each.third)
        for path in diff_tree(any_format_repo, parent, each.merge)
    ]
    assert {path.commit_id for path in paths} == {each.merge}
    assert [path.path for path in paths].count(b"a") == 3


async def test_merges_may_be_compared_with_all_parents_at_once(daemon: Daemon, any_format_repo: Repo) -> None:
    each = octopus(any_format_repo)
    fields = {
        "merge_commit_diff_mode": Request.MERGE_COMMIT_DIFF_MODE_ALL_PARENTS,
        "find_renames": True,
    }

    paths = await changed(daemon, any_format_repo, commit("main"), commit(each.left), **fields)

    merged, after = paths[:6], paths[6:]
    blob = any_format_repo.git("rev-parse", "main:a")
    moved = any_format_repo.git("rev-parse", "main:moved again")
    old = [any_format_repo.git("rev-parse", f"{parent}:a") for parent in (each.left, each.right)]
    zero = any_format_repo.format.zero_oid
    assert [without_commit(path) for path in merged] == [
        Path(b"a", ChangedPaths.MODIFIED, 0o100644, 0o100644, old[0], blob),
        Path(b"a", ChangedPaths.MODIFIED, 0o100755, 0o100644, old[1], blob),
        Path(b"a", ChangedPaths.ADDED, 0, 0o100644, zero, blob),
        *[Path(b"moved again", ChangedPaths.RENAMED, 0o100644, 0o100644, moved, moved)] * 3,
    ]
    assert [without_commit(path) for path in after] == diff_tree(any_format_repo, each.left)
    assert [path.commit_id for path in paths] == [each.merge] * 6 + [each.left]


async def test_an_unknown_mode_leaves_merges_out(daemon: Daemon, any_format_repo: Repo) -> None:
    each = octopus(any_format_repo)

    paths = await changed(
        daemon, any_format_repo, commit("main"), commit(each.left), merge_commit_diff_mode=7
    )

    assert {path.commit_id for path in paths} == {each.left}


async def test_other_parents_may_be_named(daemon: Daemon, any_format_repo: Repo) -> None:
    each = octopus(any_format_repo)
    repo = any_format_repo

    one = await changed(daemon, repo, commit("main", each.base))
    two = await changed(daemon, repo, commit("main", each.base, each.left))
    together = await changed(
        daemon,
        repo,
        commit("main", each.base, each.left),
        merge_commit_diff_mode=Request.MERGE_COMMIT_DIFF_MODE_ALL_PARENTS,
    )

    base, left = diff_tree(repo, each.base, each.merge), diff_tree(repo, each.left, each.merge)
    assert [without_commit(path) for path in one] == base
    assert [without_commit(path) for path in two] == base + left
    assert [path.path for path in together][:2] == [b"a", b"a"]
    assert {path.commit_id for path in one + two + together} == {each.merge}


async def test_filters_choose_kinds_of_changes(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)
    every = await found(daemon, any_format_repo, trees(left, right), find_renames=True)
    filters = [Request.DIFF_STATUS_RENAMED, Request.DIFF_STATUS_ADDED, Request.DIFF_STATUS_RENAMED]

    some = await found(daemon, any_format_repo, trees(left, right), find_renames=True, diff_filters=filters)
    copies = await found(
        daemon, any_format_repo, trees(left, right), diff_filters=[Request.DIFF_STATUS_COPIED]
    )

    kinds = (ChangedPaths.RENAMED, ChangedPaths.ADDED)
    assert some == [path for path in every if path.status in kinds] != []
    assert copies == []
    for wanted, status in (
        (Request.DIFF_STATUS_MODIFIED, ChangedPaths.MODIFIED),
        (Request.DIFF_STATUS_DELETED, ChangedPaths.DELETED),
        (Request.DIFF_STATUS_TYPE_CHANGE, ChangedPaths.TYPE_CHANGE),
    ):
        chosen = await found(
            daemon, any_format_repo, trees(left, right), find_renames=True, diff_filters=[wanted]
        )
        assert chosen == [path for path in every if path.status == status] != []


async def test_no_requests_are_no_messages(daemon: Daemon, repo: Repo) -> None:
    assert await responses(daemon, repo) == []
    repo.history(1, ref="refs/heads/main")
    assert await responses(daemon, repo, trees("main", "main")) == []


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        (
            {"commits": ["main"], "requests": [commit("main")]},
            StatusCode.INVALID_ARGUMENT,
            "cannot specify both commits and requests",
        ),
        (
            {"commits": ["main", ""]},
            StatusCode.INVALID_ARGUMENT,
            "resolving commit: revision cannot be empty",
        ),
        (
            {"requests": [commit("main"), commit("main", "")]},
            StatusCode.INVALID_ARGUMENT,
            "resolving commit parent: revision cannot be empty",
        ),
        (
            {"requests": [trees("", "main")]},
            StatusCode.INVALID_ARGUMENT,
            "resolving left tree: revision cannot be empty",
        ),
        (
            {"requests": [trees("main", "")]},
            StatusCode.INVALID_ARGUMENT,
            "resolving right tree: revision cannot be empty",
        ),
        (
            {"commits": ["nope", ""]},
            StatusCode.NOT_FOUND,
            'resolving commit: revision can not be found: "nope"',
        ),
        (
            {"requests": [commit("main", "main", 'no"pe')]},
            StatusCode.NOT_FOUND,
            'resolving commit parent: revision can not be found: "no\\"pe"',
        ),
        (
            {"requests": [trees("-x", "main")]},
            StatusCode.NOT_FOUND,
            'resolving left tree: revision can not be found: "-x"',
        ),
        (
            {"requests": [trees("main", "main:file")]},
            StatusCode.NOT_FOUND,
            'resolving right tree: revision can not be found: "main:file"',
        ),
        (
            {"requests": [commit("main^{tree}")]},
            StatusCode.NOT_FOUND,
            'resolving commit: revision can not be found: "main^{tree}"',
        ),
        (
            {"requests": [commit("main\n--stdin")]},
            StatusCode.NOT_FOUND,
            'resolving commit: revision can not be found: "main\\n--stdin"',
        ),
        (
            {"requests": [commit("main"), Request.Request()]},
            StatusCode.INTERNAL,
            "unknown FindChangedPathsRequest type",
        ),
        (
            {"requests": [commit("main")], "diff_filters": [Request.DIFF_STATUS_UNSPECIFIED]},
            StatusCode.INVALID_ARGUMENT,
            "invalid diff filter requested",
        ),
        (
            {"diff_filters": [Request.DIFF_STATUS_ADDED, 99]},
            StatusCode.INVALID_ARGUMENT,
            "invalid diff filter requested",
        ),
    ],
    ids=str,
)
async def test_what_can_not_be_compared_is_refused(
    daemon: Daemon, any_format_repo: Repo, fields: dict[str, Any], code: StatusCode, text: str
) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(code, text):
        request = FindChangedPathsRequest(repository=any_format_repo.message, **fields)
        await collect(daemon.stub(DiffServiceStub).FindChangedPaths(request))


async def test_a_short_id_of_two_commits_names_none(daemon: Daemon, repo: Repo) -> None:
    known: dict[str, str] = {}
    while True:
        oid = repo.object("commit", b"tree %s\n\n%d" % (repo.format.empty_tree.encode(), len(known)))
        if oid[:4] in known:
            break
        known[oid[:4]] = oid
    text = f'resolving commit: revision can not be found: "{oid[:4]}"'

    async with refused(StatusCode.NOT_FOUND, text):
        await changed(daemon, repo, commit(oid[:4]))


async def test_a_tree_that_is_not_there_ends_the_diff(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2)
    tree = any_format_repo.tree({"dir/gone": b"1"})
    folder = any_format_repo.git("rev-parse", f"{tree}:dir")
    os.unlink(f"{any_format_repo.path}/objects/{folder[:2]}/{folder[2:]}")

    async with refused(StatusCode.FAILED_PRECONDITION, "cmd wait err: exit status 128"):
        await changed(daemon, any_format_repo, trees(first, second), trees(first, tree))


async def test_replaced_objects_are_not_looked_at(daemon: Daemon, repo: Repo) -> None:
    first, second = repo.history(2)
    repo.git("replace", second, repo.commit(files={"other": b"1"}))

    [path] = await changed(daemon, repo, commit(second))

    assert (path.path, path.commit_id) == (b"file", second)
    assert first != second


async def test_objects_in_quarantine_are_seen(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    [first] = repo.history(1)
    before = set(repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    pushed = repo.commit(files={"pushed": b"1"}, parents=[first])
    after = set(repo.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    quarantine = f"{repo.path}/objects/quarantine"
    for oid in after - before:
        os.makedirs(f"{quarantine}/{oid[:2]}", exist_ok=True)
        shutil.move(f"{repo.path}/objects/{oid[:2]}/{oid[2:]}", f"{quarantine}/{oid[:2]}/{oid[2:]}")
    message = Repository()
    message.CopyFrom(repo.message)
    message.git_object_directory = "objects/quarantine"
    message.git_alternate_object_directories.append("objects")

    paths = await changed(daemon, repo, commit(pushed), repository=message)

    assert [path.path for path in paths] == [b"file", b"pushed"]
    async with refused(StatusCode.NOT_FOUND):
        await changed(daemon, repo, commit(pushed))


async def test_many_paths_come_in_messages_of_a_mebibyte(daemon: Daemon, any_format_repo: Repo) -> None:
    name = "n" * 200
    old = {f"{name}{number}": b"%d" % (number % 7) for number in range(4000)}
    new = {f"{path}.moved": content for path, content in old.items()}
    left, right = any_format_repo.tree(old), any_format_repo.tree({**new, "new": b"x"})

    messages = await responses(daemon, any_format_repo, trees(left, right), find_renames=True)

    paths = [without_commit(path) for message in messages for path in message.paths]
    assert paths == diff_tree(any_format_repo, "--find-renames=30%", left, right)
    assert len(messages) > 1
    assert all(len(message.SerializeToString()) <= 1_050_000 for message in messages)


async def test_a_merge_of_many_parents_fits_messages(daemon: Daemon, repo: Repo) -> None:
    path = b"p" * 4000
    parents = [repo.commit(files={path: b"%d" % number, b"x" + path: b"1"}) for number in range(300)]
    merge = repo.commit(files={path: b"x", b"x" + path: b"2"}, parents=parents)

    messages = await responses(
        daemon, repo, commit(merge), merge_commit_diff_mode=Request.MERGE_COMMIT_DIFF_MODE_ALL_PARENTS
    )

    paths = [each for message in messages for each in message.paths]
    assert [each.path for each in paths] == [path] * 300 + [b"x" + path] * 300
    assert [each.old_blob_id for each in paths[:300]] == [repo.blob(b"%d" % number) for number in range(300)]
    assert len(messages) > 1
    assert all(len(message.SerializeToString()) <= 1_050_000 for message in messages)


async def test_very_many_ids_are_looked_up_like_few(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    history = repo.history(500)
    tag = repo.tag("v1", history[0])
    gone = "f" * repo.format.hex_length

    paths = await changed(daemon, repo, *map(commit, [*history, tag]))

    assert [path.commit_id for path in paths] == [*history, history[0]]
    text = f'resolving commit: revision can not be found: "{gone}"'
    async with refused(StatusCode.NOT_FOUND, text):
        await changed(daemon, repo, *map(commit, [*history, gone, ""]))
    tree = repo.git("rev-parse", f"{tag}^{{tree}}")
    text = f'resolving commit parent: revision can not be found: "{tree}"'
    async with refused(StatusCode.NOT_FOUND, text):
        await changed(daemon, repo, *map(commit, history), commit(tag, tree), commit(gone))
    async with refused(StatusCode.INVALID_ARGUMENT, "resolving commit: revision cannot be empty"):
        await changed(daemon, repo, *map(commit, [*history, ""]))
