"""CommitService/FindCommits: what is said of each commit beside the commit (commit.md 2, 3.2)."""

from __future__ import annotations

from typing import Any

from gitaly_py.pb.commit_pb2 import FindCommitRequest, FindCommitsRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import CommitStatInfo, GitCommit
from tests.support.daemon import Daemon
from tests.support.histories import eventful
from tests.support.repositories import Repo
from tests.support.status import collect

Trailers = list[tuple[bytes, bytes]]


async def commits(daemon: Daemon, repo: Repo, **fields: Any) -> list[GitCommit]:
    request = FindCommitsRequest(repository=repo.message, **{"limit": -1, **fields})
    messages = await collect(daemon.stub(CommitServiceStub).FindCommits(request))
    return [commit for message in messages for commit in message.commits]


async def stats(daemon: Daemon, repo: Repo, **fields: Any) -> dict[str, tuple[int, int, int] | None]:
    found = await commits(daemon, repo, include_shortstat=True, **fields)
    return {
        commit.id: _numbers(commit.short_stats) if commit.HasField("short_stats") else None
        for commit in found
    }


def _numbers(stat: CommitStatInfo) -> tuple[int, int, int]:
    return stat.changed_files, stat.additions, stat.deletions


async def references(daemon: Daemon, repo: Repo, *patterns: bytes, **fields: Any) -> dict[str, list[bytes]]:
    found = await commits(daemon, repo, include_referenced_by=patterns, **fields)
    return {commit.id: list(commit.referenced_by) for commit in found if commit.referenced_by}


def trailers(commit: GitCommit) -> Trailers:
    return [(each.key, each.value) for each in commit.trailers]


async def test_trailers_are_those_that_find_commit_gives(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    stub = daemon.stub(CommitServiceStub)

    found = {commit.id: commit for commit in await commits(daemon, repo, trailers=True)}

    for oid, commit in found.items():
        request = FindCommitRequest(repository=repo.message, revision=oid.encode(), trailers=True)
        assert (await stub.FindCommit(request)).commit == commit
    expected = [(b"Key", b"value"), (b"Key", b"folded line"), (b"Signed-off-by", b"Bob <bob@example.com>")]
    assert trailers(found[did["rename"]]) == expected
    assert trailers(found[did["mode"]]) == [(b"Reviewed-by", "Jürgen".encode())]
    assert trailers(found[did["root"]]) == []


async def test_messages_and_their_trailers_mix_up_nothing(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    forged = "\nC" + "1" * repo.format.hex_length + "\nE\n 9 files changed\n"
    nothing: Trailers = []
    messages = {
        "\x01C\x02: x\nSigned-off-by: b\x01\x02" + forged: None,
        "Many: 1\n" * 70: [(b"Many", b"1")] * 64,
        "A: 1\n" + "k" * 129 + ": 2\nB: 3\n": [(b"A", b"1")],
        "A: 1\nK: " + "v" * 513 + "\nB: 3\n": [(b"A", b"1")],
        "(cherry picked from commit 1234)\nA:\n": [(b"A", b"")],
        "no trailers\n": nothing,
    }
    expected = {}
    parents: list[str] = []
    for number, (text, wanted) in enumerate(messages.items()):
        parents = [repo.commit(f"s\n\nbody\n\n{text}", {"f": b"%d" % number}, parents)]
        expected[parents[0]] = wanted
    repo.ref("refs/heads/main", parents[0])

    found = await commits(
        daemon, repo, trailers=True, include_shortstat=True, include_referenced_by=[b"refs/"]
    )

    assert [commit.id for commit in found] == list(expected)[::-1]
    for commit in found:
        wanted = expected[commit.id]
        assert wanted is None or trailers(commit) == wanted
        assert commit.short_stats.changed_files == 1
        assert bool(commit.referenced_by) == (commit.id == parents[0])


async def test_statistics_are_those_that_git_gives(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    repo.commit("No attributes\n", {"f": b"1\n"}, ref="refs/heads/plain")
    repo.symref("HEAD", "refs/heads/plain")

    found = await stats(daemon, repo, revision=b"main")

    for oid, numbers in found.items():
        lines = repo.git_bytes("log", "-1", "--format=", "--numstat", oid).splitlines()
        rows = [[0 if each == b"-" else int(each) for each in line.split(b"\t")[:2]] for line in lines]
        expected = (len(rows), sum(row[0] for row in rows), sum(row[1] for row in rows)) if rows else None
        assert numbers == expected, repo.git("log", "-1", oid)
    assert found[did["rename"]] == (1, 0, 0)
    assert found[did["mode"]] == (2, 1, 0)
    assert found[did["merge"]] is None
    assert found[did["octopus"]] is None
    assert found[did["nothing"]] is None
    assert found[did["root"]] == (4, 22, 0)


async def test_statistics_of_first_parents_show_what_a_merge_brings(daemon: Daemon, repo: Repo) -> None:
    did = eventful(repo)

    found = await stats(daemon, repo, first_parent=True)

    assert found[did["merge"]] == (1, 1, 0)
    assert did["side"] not in found


async def test_attributes_of_the_default_branch_count(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    temporary = daemon.storage / "+gitaly/tmp"
    before = set(temporary.iterdir())
    first = repo.commit("one\n", {"a.bin": b"1\n2\n", "b": b"1\n"}, ref="refs/heads/other")
    assert await stats(daemon, repo, revision=b"other") == {first: (2, 3, 0)}

    attributes = repo.commit("attributes\n", {".gitattributes": b"*.bin -diff\n"}, ref="refs/heads/main")

    assert await stats(daemon, repo, revision=b"other") == {first: (2, 1, 0)}
    assert await stats(daemon, repo) == {attributes: (1, 1, 0)}
    repo.commit("none\n", {".gitattributes/x": b"1\n"}, ref="refs/heads/main")
    assert await stats(daemon, repo, revision=b"other") == {first: (2, 3, 0)}
    assert set(temporary.iterdir()) <= before


async def test_references_are_those_that_match_a_pattern(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)
    tip, old = did["map"], did["change"]
    elsewhere = {did["root"], did["side"], did["second"]}
    repo.ref("refs/heads/alpha", tip)
    head, main, alpha, odd = b"HEAD", b"refs/heads/main", b"refs/heads/alpha", b"refs/heads/odd/\xff"
    new_tag, old_tag, request = b"refs/tags/v2", b"refs/tags/v1", b"refs/merge-requests/1/head"
    cases: list[tuple[list[bytes], dict[str, list[bytes]]]] = [
        ([b"refs/heads"], {tip: [main, alpha], old: [odd]}),
        ([b"refs/heads/"], {tip: [main, alpha], old: [odd]}),
        ([b"heads/alpha"], {tip: [alpha]}),
        ([b"refs/heads/al"], {}),
        ([b"refs/heads/al*"], {tip: [alpha]}),
        ([b"refs/heads/[am]*"], {tip: [main, alpha]}),
        ([b"refs/tags"], {tip: [new_tag], old: [old_tag]}),
        ([b"HEAD"], {tip: [head]}),
        ([b"HEAD", main], {tip: [head, main]}),
        ([odd], {old: [odd]}),
        ([b"refs/merge-requests"], {tip: [request]}),
        ([b"refs/nope", b"-x"], {}),
        ([b"refs/", b"HEAD"], {tip: [head, main, new_tag, request, alpha], old: [old_tag, odd]}),
    ]

    for patterns, expected in cases:
        found = await references(daemon, repo, *patterns, revision=b"main")
        assert {oid: names for oid, names in found.items() if oid not in elsewhere} == expected, patterns


async def test_everything_can_be_asked_at_once(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    did = eventful(repo)

    found = await commits(
        daemon, repo, all=True, trailers=True, include_shortstat=True, include_referenced_by=[b"refs/tags"]
    )

    by_id = {commit.id: commit for commit in found}
    assert [commit.id for commit in found] == repo.git("log", "--all", "--reverse", "--format=%H").split()
    assert list(by_id[did["change"]].referenced_by) == [b"refs/tags/v1"]
    assert _numbers(by_id[did["rename"]].short_stats) == (1, 0, 0)
    assert len(by_id[did["rename"]].trailers) == 3
    assert by_id[did["map"]].author.name == b"A U Thor"
    assert by_id[did["root"]].author.name == b"Ann Mapped"
