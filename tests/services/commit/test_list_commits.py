"""CommitService/ListCommits (commit.md 3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import ListCommitsRequest, ListCommitsResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GlobalOptions, PaginationParameter
from tests.support.daemon import Daemon
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused


async def responses(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[ListCommitsResponse]:
    request = ListCommitsRequest(repository=repo.message, revisions=revisions, **fields)
    return await collect(daemon.stub(CommitServiceStub).ListCommits(request))


async def ids(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[str]:
    messages = await responses(daemon, repo, *revisions, **fields)
    return [commit.id for message in messages for commit in message.commits]


def merged(repo: Repo) -> dict[str, str]:
    """base - left - merge (main), base - right - merge; right is the younger branch."""
    base = repo.commit("Base\n", {"a": b"1"}, time=EPOCH, author="Ann <ann@example.com>")
    left = repo.commit("left: Fix\n", {"a": b"2"}, [base], time=EPOCH + 10, ref="refs/heads/left")
    right = repo.commit("right\n", {"a": b"1", "d/b": b"1"}, [base], time=EPOCH + 20, ref="refs/heads/right")
    merge = repo.commit(
        "Merge\n", {"a": b"2", "d/b": b"1"}, [left, right], time=EPOCH + 30, ref="refs/heads/main"
    )
    repo.tag("v1", base)
    return {"base": base, "left": left, "right": right, "merge": merge}


def rev_list(repo: Repo, *args: str) -> list[str]:
    return repo.git("rev-list", *args).split()


async def test_a_walk_lists_whole_commits_newest_first(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = merged(any_format_repo)

    messages = await responses(daemon, any_format_repo, "main")

    listed = [commit for message in messages for commit in message.commits]
    assert [commit.id for commit in listed] == [commits[key] for key in ("merge", "right", "left", "base")]
    assert listed[0].parent_ids == [commits["left"], commits["right"]]
    assert listed[3].author.name == b"Ann"
    assert listed[3].subject == b"Base"
    assert not any(message.HasField("pagination_cursor") for message in messages)


@pytest.mark.parametrize(
    "revisions",
    [
        ["main", "^left"],
        ["left..main"],
        ["left...right"],
        ["main", "--not", "left"],
        ["main", "--not", "left", "--not", "right"],
        ["main", "--not", "^left", "v1"],
        ["--all"],
        ["--all", "--not", "--tags"],
        ["main", "--not", "--branches=l*"],
        ["main", "--not", "--glob=refs/heads/r*", "--tags=v*"],
        ["--branches"],
        ["--not", "left..right"],
        ["--not", "left", "--all"],
        ["main", "--not", "left^@"],
    ],
    ids=" ".join,
)
async def test_revisions_mean_what_they_mean_to_git(
    daemon: Daemon, any_format_repo: Repo, revisions: list[str]
) -> None:
    merged(any_format_repo)

    assert await ids(daemon, any_format_repo, *revisions) == rev_list(any_format_repo, *revisions, "--")


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"order": ListCommitsRequest.TOPO}, ["--topo-order"]),
        ({"order": ListCommitsRequest.DATE}, ["--date-order"]),
        ({"reverse": True}, ["--reverse"]),
        ({"max_parents": 1}, ["--max-parents=1"]),
        ({"disable_walk": True}, ["--no-walk"]),
        ({"first_parent": True}, ["--first-parent"]),
        ({"after": {"seconds": EPOCH + 10, "nanos": 5}}, [f"--max-age={EPOCH + 10}"]),
        ({"before": {"seconds": EPOCH + 10, "nanos": 5}}, [f"--min-age={EPOCH + 10}"]),
        ({"after": {"seconds": -5}}, []),
        ({"author": b"^Ann"}, ["--author=^Ann"]),
        ({"author": b"^ann", "ignore_case": True}, ["--author=^Ann"]),
        ({"commit_message_patterns": [b"^Base", b"Fix$"]}, ["--grep=^Base", "--grep=Fix$"]),
        ({"commit_message_patterns": [b"fix"]}, ["--grep=fix"]),
        ({"commit_message_patterns": [b"FIX"], "ignore_case": True}, ["--grep=Fix"]),
        ({"skip": 1}, ["--skip=1"]),
        ({"skip": 1, "reverse": True}, ["--skip=1", "--reverse"]),
    ],
    ids=str,
)
async def test_options_mean_what_they_mean_to_git(
    daemon: Daemon, any_format_repo: Repo, fields: dict[str, Any], flags: list[str]
) -> None:
    merged(any_format_repo)

    assert await ids(daemon, any_format_repo, "main", **fields) == rev_list(any_format_repo, *flags, "main")


async def test_more_revisions_than_a_command_line_holds_are_walked(daemon: Daemon, repo: Repo) -> None:
    first, second = repo.history(2, ref="refs/heads/main")
    repo.ref("refs/tags/old", first)

    assert await ids(daemon, repo, *[second] * 60_000, "--not", "--tags") == [second]


async def test_time_limits_include_both_ends(daemon: Daemon, repo: Repo) -> None:
    commits = merged(repo)
    limits = {"after": {"seconds": EPOCH + 10}, "before": {"seconds": EPOCH + 20}}

    assert await ids(daemon, repo, "main", **limits) == [commits["right"], commits["left"]]


async def test_given_commits_without_walk_are_sorted_and_listed_once(daemon: Daemon, repo: Repo) -> None:
    commits = merged(repo)
    given = ["left", "right", commits["left"], "v1"]

    found = await ids(daemon, repo, *given, disable_walk=True)

    assert found == [commits["right"], commits["left"], commits["base"]]


async def test_paths_limit_the_walk(daemon: Daemon, any_format_repo: Repo) -> None:
    commits = merged(any_format_repo)

    assert await ids(daemon, any_format_repo, "main", paths=[b"d"]) == [commits["right"]]
    assert await ids(daemon, any_format_repo, "main", paths=[b"d/*", b"nope"]) == [commits["right"]]
    assert await ids(daemon, any_format_repo, "main", paths=[b"nope"]) == []


async def test_literal_pathspecs_are_no_patterns(daemon: Daemon, repo: Repo) -> None:
    plain = repo.commit("plain\n", {"file": b"1"})
    star = repo.commit("star\n", {"file": b"1", "*": b"1"}, [plain], ref="refs/heads/main")
    literal = GlobalOptions(literal_pathspecs=True)

    assert await ids(daemon, repo, "main", paths=[b"*"]) == [star, plain]
    assert await ids(daemon, repo, "main", paths=[b"*"], global_options=literal) == [star]


async def cursor_and_ids(
    daemon: Daemon, repo: Repo, token: str, limit: int, **fields: Any
) -> tuple[str | None, list[str]]:
    parameters = PaginationParameter(page_token=token, limit=limit)
    messages = await responses(daemon, repo, "main", pagination_params=parameters, **fields)
    cursors = [
        message.pagination_cursor.next_cursor for message in messages if message.HasField("pagination_cursor")
    ]
    assert len(cursors) <= 1
    assert not cursors or messages[-1].HasField("pagination_cursor")
    return (cursors[0] if cursors else None), [
        commit.id for message in messages for commit in message.commits
    ]


@pytest.mark.parametrize("reverse", [False, True])
async def test_pages_follow_one_another(daemon: Daemon, any_format_repo: Repo, reverse: bool) -> None:
    history = any_format_repo.history(5, ref="refs/heads/main")
    expected = history if reverse else history[::-1]

    first = await cursor_and_ids(daemon, any_format_repo, "", 2, reverse=reverse)
    second = await cursor_and_ids(daemon, any_format_repo, expected[1], 2, reverse=reverse)
    third = await cursor_and_ids(daemon, any_format_repo, expected[3], 2, reverse=reverse)

    assert first == (expected[1], expected[:2])
    assert second == (expected[3], expected[2:4])
    assert third == (None, expected[4:])


async def test_a_page_that_is_just_full_has_no_cursor(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(4, ref="refs/heads/main")[::-1]

    assert await cursor_and_ids(daemon, repo, "", 4) == (None, history)
    assert await cursor_and_ids(daemon, repo, history[1], 2) == (None, history[2:])
    assert await cursor_and_ids(daemon, repo, history[1], -1) == (None, history[2:])
    assert await cursor_and_ids(daemon, repo, "", 0) == (None, history)
    assert await cursor_and_ids(daemon, repo, history[-1], 2) == (None, [])


async def test_a_token_that_is_never_met_leaves_nothing(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(3, ref="refs/heads/main")

    assert await cursor_and_ids(daemon, repo, "f" * 40, 2) == (None, [])
    assert await cursor_and_ids(daemon, repo, history[2][:8], 2) == (None, [])


async def test_the_token_counts_after_skipping(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(4, ref="refs/heads/main")[::-1]

    assert await cursor_and_ids(daemon, repo, history[1], 1, skip=1) == (history[2], [history[2]])
    assert await cursor_and_ids(daemon, repo, history[0], 1, skip=1) == (None, [])


@pytest.mark.parametrize(
    ("revisions", "text"),
    [
        ([], "missing revisions"),
        (["main", ""], "invalid revision: empty revision"),
        (["-main"], "invalid revision: revision can't start with '-'"),
        (["--remotes"], "invalid revision: revision can't start with '-'"),
        (["--not", "ma in"], "invalid revision: revision can't contain whitespace"),
        (["main:file"], "invalid revision: revision can't contain ':'"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revisions: list[str], text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, *revisions)


async def test_an_unknown_revision_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    any_format_repo.history(1, ref="refs/heads/main")
    stderr = "\"fatal: bad revision 'nope'\\n\""
    text = f"iterating objects: rev-list pipeline command: exit status 128, stderr: {stderr}"

    async with refused(StatusCode.INTERNAL, text):
        await responses(daemon, any_format_repo, "main", "nope")


async def test_a_pattern_with_a_line_end_smuggles_no_revision_in(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, ref="refs/heads/main")

    assert await ids(daemon, repo, "--glob=refs/none/*\nmain") == []


async def test_nothing_found_is_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await responses(daemon, any_format_repo, "--all") == []
    assert await responses(daemon, any_format_repo, "--branches=x", "--not", "--all") == []


async def test_identities_are_mapped(daemon: Daemon, repo: Repo) -> None:
    repo.commit("m\n", {".mailmap": b"Mapped <author@example.com>\n"}, ref="refs/heads/main")

    [message] = await responses(daemon, repo, "main")

    assert message.commits[0].author.name == b"Mapped"


async def test_many_commits_come_in_several_messages(daemon: Daemon, repo: Repo) -> None:
    long = b"x" * 10_239
    tips = [repo.commit(b"%d" % number + long) for number in range(250)]

    messages = await responses(daemon, repo, *tips)

    assert sorted(commit.id for message in messages for commit in message.commits) == sorted(tips)
    assert len(messages) > 2
    assert all(message.ByteSize() <= 1_100_000 for message in messages)
