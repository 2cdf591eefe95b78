"""CommitService/FindCommits: which commits are found (commit.md 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitsError, FindCommitsRequest, FindCommitsResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GlobalOptions
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

NOT_FOUND = (StatusCode.NOT_FOUND, "commits not found", FindCommitsError())


async def responses(daemon: Daemon, repo: Repo, **fields: Any) -> list[FindCommitsResponse]:
    request = FindCommitsRequest(repository=repo.message, **{"limit": -1, **fields})
    return await collect(daemon.stub(CommitServiceStub).FindCommits(request))


async def ids(daemon: Daemon, repo: Repo, **fields: Any) -> list[str]:
    messages = await responses(daemon, repo, **fields)
    return [commit.id for message in messages for commit in message.commits]


def log(repo: Repo, *args: str | bytes) -> list[str]:
    return repo.git("log", "--format=%H", *args).split()


async def test_options_mean_what_they_mean_to_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    old, young = EPOCH + 3, EPOCH + 7
    cases: list[tuple[dict[str, Any], list[str | bytes]]] = [
        ({}, ["main"]),
        ({"revision": b"side"}, ["side"]),
        ({"revision": b"refs/heads/odd/\xff"}, [b"refs/heads/odd/\xff"]),
        ({"revision": b"v1"}, ["v1"]),
        ({"revision": b"side..main"}, ["side..main"]),
        ({"revision": b"side...unrelated"}, ["side...unrelated"]),
        ({"revision": did["loose"].encode()}, [did["loose"]]),
        ({"limit": 3}, ["main", "--max-count=3"]),
        ({"limit": 3, "offset": 2}, ["main", "--max-count=3", "--skip=2"]),
        ({"offset": 2}, ["main", "--skip=2"]),
        ({"offset": -2}, ["main"]),
        ({"offset": 100}, ["main", "--skip=100"]),
        ({"limit": 2**31 - 1, "offset": 1}, ["main", "--skip=1"]),
        ({"skip_merges": True}, ["main", "--no-merges"]),
        ({"first_parent": True}, ["main", "--first-parent"]),
        ({"order": FindCommitsRequest.TOPO}, ["main", "--topo-order"]),
        ({"disable_walk": True}, ["main"]),
        ({"after": {"seconds": old, "nanos": 5}}, ["main", f"--max-age={old}"]),
        ({"before": {"seconds": young, "nanos": 5}}, ["main", f"--min-age={young}"]),
        ({"after": {"seconds": 5}}, ["main"]),
        ({"before": {"seconds": 5}}, ["main", "--min-age=5"]),
        ({"author": b"^Ann Mapped <ann@"}, ["main", "--author=^Ann Mapped"]),
        ({"author": b"^ann"}, ["main", "--author=^ann"]),
        ({"author": b"^ann", "message_regex": "."}, ["main", "--author=^Ann"]),
        ({"message_regex": "^MERGE"}, ["main", "--grep=^Merge"]),
        ({"message_regex": "ch\\(a\\|i\\)nge$"}, ["main", "--grep=Ch\\(a\\|i\\)nge$"]),
        ({"message_regex": "-x"}, ["main", "--grep=-x"]),
        ({"paths": [b"new"]}, ["main", "--", "new"]),
        ({"paths": [b"d", b"side"]}, ["main", "--", "d", "side"]),
        ({"paths": [b'odd \xff\n"']}, ["main", "--", b'odd \xff\n"']),
        ({"paths": [b"sub"]}, ["main", "--", "sub"]),
        ({"paths": [b"l*"]}, ["main", "--", "l*"]),
        ({"paths": [b"-x"]}, ["main", "--", "-x"]),
        ({"paths": [b"nope"]}, ["main", "--", "nope"]),
        ({"paths": [b"new"], "follow": True}, ["main", "--follow", "--", "new"]),
        ({"follow": True}, ["main"]),
        ({"all": True}, ["--all", "--reverse"]),
        ({"all": True, "limit": 3}, ["--all", "--reverse", "--max-count=3"]),
        ({"all": True, "revision": did["loose"].encode()}, ["--all", "--reverse", did["loose"]]),
    ]
    for fields, args in cases:
        assert await ids(daemon, repo, **fields) == log(repo, *args), fields
    assert len(await ids(daemon, repo, paths=[b"new"], follow=True)) == 3
    assert did["mode"] in await ids(daemon, repo, paths=[b"d"])


async def test_commits_are_whole_and_their_identities_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    did = eventful(any_format_repo)

    [message] = await responses(daemon, any_format_repo)

    by_id = {commit.id: commit for commit in message.commits}
    changed = by_id[did["change"]]
    assert (changed.author.name, changed.author.email) == (b"Bob Mapped", b"bob@new.example.com")
    assert by_id[did["octopus"]].parent_ids == [did["merge"], did["second"], did["third"]]
    assert by_id[did["mode"]].body == b"J\xfcrgen's mode\n\nReviewed-by: J\xfcrgen\n"
    for commit in message.commits:
        assert list(commit.trailers) == list(commit.referenced_by) == []
        assert not commit.HasField("short_stats")


async def test_without_a_limit_nothing_is_listed_but_the_revision_is_resolved(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    any_format_repo.history(2, ref="refs/heads/main")

    assert await responses(daemon, any_format_repo, limit=0) == []
    async with refused(*NOT_FOUND):
        await responses(daemon, any_format_repo, limit=0, revision=b"nope")


async def test_following_a_file_counts_the_offset_in_what_it_finds(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    eventful(any_format_repo)
    followed = log(any_format_repo, "main", "--follow", "--", "new")

    async def follow(offset: int, limit: int) -> list[str]:
        return await ids(
            daemon,
            any_format_repo,
            paths=[b"new"],
            follow=True,
            offset=offset,
            limit=limit,
            trailers=limit == 1,
        )

    assert len(followed) == 3
    assert await follow(0, 2) == followed[:2]
    assert await follow(1, 1) == followed[1:2]
    assert await follow(1, 2) == followed[1:]
    assert await follow(2, -1) == followed[2:]
    assert await follow(3, 5) == []
    assert await follow(1, 0) == []
    assert await follow(-1, 2) == followed[:2]
    assert await follow(2**31 - 1, 2**31 - 1) == []

    from_change = await ids(daemon, any_format_repo, revision=b"v1", paths=[b"new"], follow=True, offset=1)
    assert from_change == followed[1:]


async def test_an_offset_larger_than_what_git_prints_at_a_time_is_left_out(
    daemon: Daemon, repo: Repo
) -> None:
    history = repo.history(250, ref="refs/heads/main")[::-1]

    for offset in (3, 240):
        assert await ids(daemon, repo, paths=[b"file"], follow=True, offset=offset) == history[offset:]


async def test_a_literal_path_is_no_pattern(daemon: Daemon, repo: Repo) -> None:
    plain = repo.commit("plain\n", {"file": b"1"})
    star = repo.commit("star\n", {"file": b"1", "*": b"1"}, [plain], ref="refs/heads/main")
    literal = GlobalOptions(literal_pathspecs=True)

    assert await ids(daemon, repo, paths=[b"*"]) == [star, plain]
    assert await ids(daemon, repo, paths=[b"*"], global_options=literal) == [star]


async def test_without_a_revision_the_default_branch_is_walked(daemon: Daemon, repo: Repo) -> None:
    other = repo.commit("other\n", ref="refs/heads/other")
    assert await ids(daemon, repo) == [other]

    master = repo.commit("master\n", ref="refs/heads/master")
    assert await ids(daemon, repo) == [master]

    repo.symref("HEAD", "refs/heads/other")
    assert await ids(daemon, repo) == [other]


async def test_a_detached_head_names_no_default_branch(daemon: Daemon, repo: Repo) -> None:
    [oid] = repo.history(1, ref="refs/heads/main")
    Path(repo.path, "HEAD").write_text(oid + "\n")

    async with refused(StatusCode.INTERNAL):
        await responses(daemon, repo)
    assert await ids(daemon, repo, revision=b"HEAD") == [oid]
    assert await ids(daemon, repo, all=True) == [oid]


async def test_an_empty_repository_has_no_commits(daemon: Daemon, any_format_repo: Repo) -> None:
    for fields in ({}, {"limit": 0}, {"revision": b"HEAD"}, {"revision": b"main"}):
        async with refused(*NOT_FOUND):
            await responses(daemon, any_format_repo, **fields)
    assert await responses(daemon, any_format_repo, all=True) == []


@pytest.mark.parametrize("trailers", [False, True])
async def test_what_does_not_exist_is_not_found(
    daemon: Daemon, any_format_repo: Repo, trailers: bool
) -> None:
    repo = any_format_repo
    [oid] = repo.history(1, ref="refs/heads/main")
    missing = "f" * len(oid)

    for revision in (
        "nope",
        missing,
        f"{missing}..{oid}",
        f"{oid}..{missing}",
        "main..nope",
        "main~1",
        "pyproject.toml",
    ):
        async with refused(*NOT_FOUND):
            await responses(daemon, repo, revision=revision.encode(), trailers=trailers)
    async with refused(*NOT_FOUND):
        await responses(daemon, repo, revision=b"\xff", trailers=trailers, all=True)


async def test_other_failures_of_git_are_internal_errors(daemon: Daemon, any_format_repo: Repo) -> None:
    eventful(any_format_repo)

    for fields in (
        {"follow": True, "paths": [b"new", b"old"]},
        {"message_regex": "\\("},
        {"paths": [b":(nonsense)x"]},
        {"revision": b"main@{upstream}"},
    ):
        async with refused(StatusCode.INTERNAL, "listing commits failed"):
            await responses(daemon, any_format_repo, **fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"revision": b"-x"}, "revision can't start with '-'"),
        ({"revision": b"--all"}, "revision can't start with '-'"),
        ({"revision": b"a b", "all": True}, "revision can't contain whitespace"),
        ({"revision": b"main:file"}, "revision can't contain ':'"),
        ({"revision": b"main\0"}, "revision can't contain NUL"),
        ({"paths": [b"x", b""]}, "path is empty string"),
        ({"paths": [b""], "revision": b"nope"}, "path is empty string"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await responses(daemon, repo, **fields)


async def test_a_long_history_comes_in_several_messages(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tips = [repo.commit(b"%d\n\nKey: %d\n" % (number, number) + b"x" * 2000) for number in range(800)]
    repo.ref("refs/heads/main", repo.commit("all\n", parents=tips))

    plain = await responses(daemon, repo)
    detailed = await responses(daemon, repo, include_referenced_by=[b"refs/"], offset=1)

    for messages, skipped in ((plain, 0), (detailed, 1)):
        assert [commit.id for message in messages for commit in message.commits] == log(repo, "main")[
            skipped:
        ]
        assert len(messages) == 2
        assert 1_000_000 < messages[0].ByteSize() <= 1_060_000


async def test_missing_commits_of_a_history_are_an_error(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(3, ref="refs/heads/main")
    Path(repo.path, "objects", history[0][:2], history[0][2:]).unlink()

    async with refused(StatusCode.INTERNAL):
        await responses(daemon, repo)
    assert await ids(daemon, repo, limit=1) == history[2:]


async def test_grafts_and_replacements_are_as_git_has_them(daemon: Daemon, repo: Repo) -> None:
    history = repo.history(3, ref="refs/heads/main")
    repo.ref(f"refs/replace/{history[2]}", history[0])

    assert await ids(daemon, repo) == history[::-1]

    Path(repo.path, "shallow").write_text(history[1] + "\n")
    assert await ids(daemon, repo) == history[:0:-1]
