"""CommitService/ListLastCommitsForTree (commit.md 3.3); `git log -1` of each path is the oracle."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import ListLastCommitsForTreeRequest, ListLastCommitsForTreeResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GlobalOptions
from gitaly_py.services.commit.last_changes import Search
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import EPOCH, Entry, Repo
from tests.support.status import collect, refused

LITERAL = GlobalOptions(literal_pathspecs=True)
Files = dict[str | bytes, Entry]


async def responses(daemon: Daemon, repo: Repo, **fields: Any) -> list[ListLastCommitsForTreeResponse]:
    request = ListLastCommitsForTreeRequest(
        repository=repo.message, **{"revision": "main", "limit": 1000, **fields}
    )
    return await collect(daemon.stub(CommitServiceStub).ListLastCommitsForTree(request))


async def found(daemon: Daemon, repo: Repo, **fields: Any) -> list[tuple[bytes, str]]:
    messages = await responses(daemon, repo, **fields)
    return [(item.path_bytes, item.commit.id) for message in messages for item in message.commits]


def by_git(repo: Repo, path: bytes = b".", revision: str = "main") -> list[tuple[bytes, str]]:
    """Entries in order, each with what a walk of its own finds."""
    listed = repo.git_bytes("--literal-pathspecs", "ls-tree", "-z", "--full-name", revision, "--", path)
    records = [record.split(b"\t", 1) for record in listed.split(b"\0")[:-1]]
    kinds = [b"tree", b"blob", b"commit"]
    records.sort(key=lambda record: kinds.index(record[0].split(b" ")[1]))
    return [
        (
            name,
            repo.git("--literal-pathspecs", "log", "-1", "--format=%H", revision, "--", name),
        )
        for _, name in records
    ]


def random_history(repo: Repo, number: int) -> None:
    """Branches that change the same few files and are merged in every way; odd ones by wrong clocks."""
    chance = random.Random(number)
    paths = ["a", "b", "x/a", "x/b", "x/y/a", "x/y/b"]
    commits: list[str] = []
    trees: dict[str, Files] = {}
    for count in range(60):
        parents = chance.sample(commits[-8:], min(len(commits), chance.choice([1, 1, 1, 2, 2, 3])))
        files: Files = {"always": b""}
        for path in [*paths, "x/y"]:
            inherited = trees[chance.choice(parents)].get(path) if parents else b"0"
            if inherited is not None and chance.random() > 0.02:
                files[path] = inherited
        for path in chance.sample(paths, chance.choice([0, 1, 1, 2])):
            files[path] = chance.choice([b"1", b"2", b"3", ("100755", b"1"), ("120000", b"1")])
        if chance.random() < 0.1:
            files = {path: entry for path, entry in files.items() if not str(path).startswith("x/y/")}
            files["x/y"] = chance.choice([b"1", ("160000", "1" * repo.format.hex_length)])
        time = EPOCH + count + (chance.randrange(-20, 20) if number % 2 else 0)
        commits.append(repo.commit(f"{count}\n", files, parents, time=time))
        trees[commits[-1]] = files
    repo.ref("refs/heads/main", commits[-1])


@pytest.mark.parametrize("number", range(4))
async def test_each_entry_has_the_commit_that_a_walk_of_its_own_finds(
    daemon: Daemon, new_repo: NewRepo, number: int
) -> None:
    repo = new_repo(object_format="sha1" if number < 2 else "sha256")
    random_history(repo, number)

    for path in (b".", b"x/", b"x/y/"):
        assert await found(daemon, repo, path=path) == by_git(repo, path), path


def cover(repo: Repo, count: int) -> None:
    """Commits on top of main that change another file each time."""
    stream = ["blob\nmark :1\ndata 0\n\n"]
    for number in range(count):
        stream.append(f"commit refs/heads/main\ncommitter A <a@b> {EPOCH + 1000 + number} +0000\ndata 0\n")
        stream.append("" if number else "from refs/heads/main^0\n")
        stream.append(f"M 100644 inline cover\ndata {len(str(number))}\n{number}\n")
    repo.git("fast-import", "--quiet", stdin="".join(stream))


@pytest.mark.parametrize("number", range(4, 8))
async def test_what_was_changed_long_ago_in_merged_branches_is_found(
    daemon: Daemon, new_repo: NewRepo, number: int
) -> None:
    repo = new_repo(object_format="sha1" if number < 6 else "sha256")
    random_history(repo, number)
    cover(repo, 1500)
    if number < 6:
        repo.git("commit-graph", "write", "--reachable", "--changed-paths")

    for path in (b".", b"x/", b"x/y/"):
        assert await found(daemon, repo, path=path) == by_git(repo, path), path


async def test_a_path_goes_on_in_the_first_parent_that_has_it_however_old_the_merge(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    old: Files = {"d/a": b"1", "d/b": b"1", "d/c": b"1", "d/e": b"1"}
    root = repo.commit("root\n", old, time=EPOCH)
    left = repo.commit("left\n", {**old, "d/a": b"2", "d/c": b"2"}, [root], time=EPOCH + 10)
    right = repo.commit("right\n", {**old, "d/a": b"2", "d/b": b"2"}, [root], time=EPOCH + 20)
    files: Files = {"d/a": b"2", "d/b": b"2", "d/c": b"2", "d/e": b"3"}
    merge = repo.commit("merge\n", files, [left, right], ref="refs/heads/main", time=EPOCH + 30)
    cover(repo, 1500)

    listed = await found(daemon, repo, path=b"d/")

    assert listed == [(b"d/a", left), (b"d/b", right), (b"d/c", left), (b"d/e", merge)]
    assert listed == by_git(repo, b"d/")


async def test_a_commit_that_comes_before_its_child_is_found(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    root = repo.commit("root\n", {"f": b"1", "g": b"1", "h": b"1"}, time=EPOCH)
    young = repo.commit("young\n", {"f": b"2", "g": b"1", "h": b"1"}, [root], time=EPOCH + 100)
    old = repo.commit("old\n", {"f": b"2", "g": b"2", "h": b"1"}, [young], time=EPOCH + 50)
    repo.commit(
        "merge\n",
        {"f": b"2", "g": b"2", "h": b"1"},
        [old, young],
        ref="refs/heads/main",
        time=EPOCH + 200,
    )

    assert await found(daemon, repo) == [(b"f", young), (b"g", old), (b"h", root)]


async def test_entries_are_whole_commits_ten_in_a_message(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    files: Files = {f"file{number:02}": b"" for number in range(25)}
    first = repo.commit("first\n", files, author="Ann <ann@example.com>")
    files["file03"] = b"changed"
    second = repo.commit("second\n\nbody\n", files, [first], ref="refs/heads/main")

    messages = await responses(daemon, repo)

    assert [len(message.commits) for message in messages] == [10, 10, 5]
    items = [item for message in messages for item in message.commits]
    assert [item.path_bytes for item in items] == [os.fsencode(path) for path in sorted(files)]
    assert {item.path_bytes for item in items if item.commit.id == second} == {b"file03"}
    assert (items[0].commit.author.name, items[0].commit.subject) == (b"Ann", b"first")
    assert (items[3].commit.body, items[3].commit.parent_ids) == (b"second\n\nbody\n", [first])


async def test_identities_are_mapped(daemon: Daemon, repo: Repo) -> None:
    repo.commit("m\n", {".mailmap": b"Mapped <author@example.com>\n"}, ref="refs/heads/main")

    [message] = await responses(daemon, repo)

    assert message.commits[0].commit.author.name == b"Mapped"


def assorted(repo: Repo) -> dict[str, str]:
    """One commit a line: files, folders, a submodule, links and names of every kind."""
    files: Files = {}
    commits: dict[str, str] = {}
    additions: list[Files] = [
        {"b": b"1", "z/deep/er": b"1"},
        {"a sub": ("160000", "1" * repo.format.hex_length)},
        {"link": ("120000", b"b")},
        {"z/second": b"1", b"\xff\xfe": b"1"},
        {"-dash": b"1", ":wq": b"1", "*": b"1", "new\nline": b"1"},
        {"b": ("100755", b"1")},
        {"z/deep/er": b"2", "f" * repo.format.hex_length: b"1"},
        {"nothing": b"1"},
    ]
    for number, added in enumerate(additions):
        files |= added
        name = f"commit {number}"
        commits[name] = repo.commit(name, files, list(commits.values())[-1:], ref="refs/heads/main")
    return commits


async def test_trees_come_before_blobs_before_submodules(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = assorted(any_format_repo)

    listed = await found(daemon, any_format_repo)

    assert listed == by_git(any_format_repo)
    assert listed[0] == (b"z", commits["commit 6"])
    assert listed[-1] == (b"a sub", commits["commit 1"])
    assert (b"b", commits["commit 5"]) in listed


async def test_a_path_names_an_entry_and_with_a_slash_its_children(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    commits = assorted(repo)
    children = [(b"z/deep", commits["commit 6"]), (b"z/second", commits["commit 3"])]

    assert await found(daemon, repo, path=b"z/") == children
    assert await found(daemon, repo, path=b"./z//") == children
    assert await found(daemon, repo, path=b"z") == [(b"z", commits["commit 6"])]
    assert await found(daemon, repo, path=b"z/second") == [(b"z/second", commits["commit 3"])]
    assert await found(daemon, repo, path=b"\xff\xfe") == [(b"\xff\xfe", commits["commit 3"])]
    assert await found(daemon, repo, path=b"-dash") == [(b"-dash", commits["commit 4"])]
    assert await found(daemon, repo, path=b"*") == [(b"*", commits["commit 4"])]
    assert await found(daemon, repo, path=b"a sub") == [(b"a sub", commits["commit 1"])]
    assert await found(daemon, repo, path=b"nope") == []
    assert await found(daemon, repo, path=b"b/") == []
    everything = by_git(repo)
    for root in (b"", b"/", b"."):
        assert await found(daemon, repo, path=root) == everything


async def test_a_folder_of_very_many_entries_is_listed(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    blob = repo.blob(b"")
    names = [f"folder/{number:04}" for number in range(2500)]
    files: Files = dict.fromkeys(names, ("100644", blob))
    first = repo.commit("first\n", files)
    second = repo.commit("second\n", {**files, "folder/0700": b"1"}, [first], ref="refs/heads/main")

    listed = await found(daemon, repo, path=b"folder/", limit=5000)

    assert [path for path, _ in listed] == [name.encode() for name in names]
    assert [path for path, oid in listed if oid != first] == [b"folder/0700"]
    assert listed[700] == (b"folder/0700", second)


async def test_literal_pathspecs_take_magic_for_a_name(daemon: Daemon, repo: Repo) -> None:
    commits = assorted(repo)

    assert await found(daemon, repo, path=b":(top)b") == [(b"b", commits["commit 5"])]
    assert await found(daemon, repo, path=b":(top)b", global_options=LITERAL) == []
    assert await found(daemon, repo, path=b":wq", global_options=LITERAL) == [(b":wq", commits["commit 4"])]
    assert await found(daemon, repo, path=b":(top)b", literal_pathspec=True) != []


async def test_offset_and_limit_cut_the_sorted_entries(daemon: Daemon, repo: Repo) -> None:
    assorted(repo)
    everything = by_git(repo)

    assert await found(daemon, repo, offset=1, limit=3) == everything[1:4]
    assert await found(daemon, repo, offset=len(everything) - 1, limit=5) == everything[-1:]
    assert await found(daemon, repo, offset=len(everything)) == []
    assert await found(daemon, repo, offset=2**31 - 1, limit=2**31 - 1) == []
    assert await found(daemon, repo, limit=0) == []
    assert await responses(daemon, repo, offset=3, limit=0) == []


async def test_other_revisions_than_branches_are_listed(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = assorted(any_format_repo)
    any_format_repo.tag("v1", commits["commit 3"])

    expected = by_git(any_format_repo, revision=commits["commit 3"])
    for revision in ("v1", "main~4", commits["commit 3"], commits["commit 3"][:12]):
        assert await found(daemon, any_format_repo, revision=revision) == expected


async def test_grafts_and_the_border_of_a_shallow_history_are_kept_to(daemon: Daemon, repo: Repo) -> None:
    history = [repo.commit("0\n", {"a": b"1", "b": b"1", "c": b"1"})]
    for number in range(1, 4):
        history.append(repo.commit(f"{number}\n", {"a": b"%d" % number, "b": b"1", "c": b"1"}, history[-1:]))
    repo.ref("refs/heads/main", history[-1])
    Path(repo.path, "shallow").write_text(history[1] + "\n")

    assert await found(daemon, repo) == [(b"a", history[3]), (b"b", history[1]), (b"c", history[1])]
    assert await found(daemon, repo) == by_git(repo)


async def test_a_long_history_of_many_entries_is_walked_to_its_root(daemon: Daemon, repo: Repo) -> None:
    fixed = "".join(f"M 100644 :1 file{number}\nM 100644 :1 d/{number}\n" for number in range(60))
    stream = ["blob\nmark :1\ndata 0\n\n"]
    for number in range(3000):
        stream.append(f"commit refs/heads/main\ncommitter A <a@b> {EPOCH + number} +0000\ndata 0\n")
        content = str(number)
        stream.append(f"M 100644 inline file{number % 7}\ndata {len(content)}\n{content}\n")
        stream.append(fixed if number == 5 else "")
    repo.git("fast-import", "--quiet", stdin="".join(stream))
    root = repo.git("log", "-1", "--format=%H", "--", "file30")

    listed = dict(await found(daemon, repo))

    assert len(listed) == 61
    assert {listed[b"file%d" % number] for number in range(7, 60)} == {root}
    assert [listed[b"file%d" % number] for number in range(7)] == [
        repo.git("log", "-1", "--format=%H", "--", f"file{number}") for number in range(7)
    ]
    assert set(dict(await found(daemon, repo, path=b"d/")).values()) == {root}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"revision": ""}, "empty revision"),
        ({"revision": "-main"}, "revision can't start with '-'"),
        ({"revision": "main:d"}, "revision can't contain ':'"),
        ({"offset": -1}, "offset negative"),
        ({"limit": -1}, "limit negative"),
        ({"revision": "", "offset": -1, "limit": -1}, "empty revision"),
        ({"offset": -1, "limit": -1}, "offset negative"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"revision": "nope"},
        {"revision": "f" * 40},
        {"revision": "main^{tree}"},
        {"path": b"../outside"},
        {"path": b"/absolute"},
    ],
    ids=str,
)
async def test_what_git_refuses_is_an_error(daemon: Daemon, repo: Repo, fields: dict[str, Any]) -> None:
    repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "listing last commits for tree: exit status 128"):
        await responses(daemon, repo, **fields)


def test_paths_that_meet_again_are_carried_together() -> None:
    search = Search(b"m", {b"a", b"b", b"c"})

    assert search.visit(b"m", [b"l", b"r"], [[b"a", b"x"], [b"b", b"c"]]) == set()
    assert search.carried == {b"l": {b"b", b"c"}, b"r": {b"a"}}
    assert search.visit(b"l", [b"base"], [[b"b"]]) == {b"b"}
    assert search.visit(b"r", [b"base"], [[]]) == set()
    assert (search.carried, search.left) == ({b"base": {b"a", b"c"}}, 2)
    assert search.visit(b"base", [], []) == {b"a", b"c"}
    assert (search.carried, search.left) == ({}, 0)


def test_commits_that_leave_paths_as_they_were_are_passed_over() -> None:
    search = Search(b"m", {b"a", b"b"})
    search.visit(b"m", [b"l", b"r"], [[b"b"], []])

    search.move(b"l", b"l")
    search.move(b"l", b"base")
    search.move(b"gone", b"base")
    search.move(b"r", b"base")

    assert search.carried == {b"base": {b"a", b"b"}}
    assert sorted(search.paths()) == [b"a", b"b"]
