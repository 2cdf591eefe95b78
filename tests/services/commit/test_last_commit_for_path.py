"""CommitService/LastCommitForPath (commit.md 3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import LastCommitForPathRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import GitCommit, GlobalOptions
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import refused

LITERAL = GlobalOptions(literal_pathspecs=True)


async def commit_of(daemon: Daemon, repo: Repo, path: bytes, **fields: Any) -> GitCommit | None:
    request = LastCommitForPathRequest(
        repository=repo.message, **{"revision": b"main", "path": path, **fields}
    )
    response = await daemon.stub(CommitServiceStub).LastCommitForPath(request)
    return response.commit if response.HasField("commit") else None


async def id_of(daemon: Daemon, repo: Repo, path: bytes, **fields: Any) -> str | None:
    commit = await commit_of(daemon, repo, path, **fields)
    return None if commit is None else commit.id


def grown(repo: Repo) -> list[str]:
    """Each commit adds a path; the last but one removes one, and the last changes nothing."""
    files: dict[str | bytes, Entry] = {}
    commits: list[str] = []
    for path in ("plain", "dir/one", "gone", b"\xff", "-dash", "*", ":wq", None):
        if path is None:
            del files["gone"]
        else:
            files[path] = b"1"
        commits.append(repo.commit("c\n", files, commits[-1:], ref="refs/heads/main"))
    commits.append(repo.commit("empty\n", files, commits[-1:], ref="refs/heads/main"))
    return commits


async def test_a_path_has_the_commit_that_changed_it_last(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commits = grown(repo)
    expected = {
        b"plain": commits[0],
        b"dir": commits[1],
        b"dir/": commits[1],
        b"dir/one": commits[1],
        b"dir/../plain": commits[0],
        b"./dir": commits[1],
        b"gone": commits[7],
        b"\xff": commits[3],
        b"-dash": commits[4],
        b"nope": None,
    }

    assert {path: await id_of(daemon, repo, path) for path in expected} == expected
    assert await id_of(daemon, repo, b"gone", revision=b"main~3") == commits[2]
    assert await id_of(daemon, repo, b"plain", revision=b"main~2..main") is None


@pytest.mark.parametrize("path", [b"", b"/"])
async def test_the_root_has_the_last_commit_that_changed_anything(
    daemon: Daemon, any_format_repo: Repo, path: bytes
) -> None:
    commits = grown(any_format_repo)

    assert await id_of(daemon, any_format_repo, path) == commits[7]


async def test_paths_are_patterns_unless_they_are_to_be_literal(daemon: Daemon, repo: Repo) -> None:
    commits = grown(repo)

    assert await id_of(daemon, repo, b"*") == commits[7]
    assert await id_of(daemon, repo, b"pl*") == commits[0]
    assert await id_of(daemon, repo, b":(top)plain") == commits[0]
    # That is another way to write "wq".
    assert await id_of(daemon, repo, b":wq") is None
    for literal in ({"literal_pathspec": True}, {"global_options": LITERAL}):
        assert await id_of(daemon, repo, b"*", **literal) == commits[5]
        assert await id_of(daemon, repo, b"pl*", **literal) is None
        assert await id_of(daemon, repo, b":wq", **literal) == commits[6]


async def test_the_commit_is_whole_and_its_identities_are_mapped(daemon: Daemon, repo: Repo) -> None:
    repo.commit("subject\n\nbody\n", {".mailmap": b"Mapped <author@example.com>\n"}, ref="refs/heads/main")

    commit = await commit_of(daemon, repo, b".mailmap")

    assert commit is not None
    assert (commit.author.name, commit.subject, commit.body) == (b"Mapped", b"subject", b"subject\n\nbody\n")


async def test_an_unknown_name_has_no_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await id_of(daemon, any_format_repo, b"file") is None
    any_format_repo.history(1, ref="refs/heads/main")
    for name in (b"nope", b"main~5", b"\xff"):
        assert await id_of(daemon, any_format_repo, b"file", revision=name) is None


async def test_a_missing_id_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    missing = b"f" * any_format_repo.format.hex_length

    async with refused(StatusCode.INTERNAL, "logging last commit for path: exit status 128"):
        await id_of(daemon, any_format_repo, b"file", revision=missing)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"revision": b""}, "empty revision"),
        ({"revision": b"-main", "path": b"/x"}, "revision can't start with '-'"),
        ({"revision": b"a b"}, "revision can't contain whitespace"),
        ({"path": b"/plain"}, "path is an absolute path"),
        ({"path": b"//"}, "path is an absolute path"),
        ({"path": b".."}, "path escapes repository"),
        ({"path": b"../x"}, "path escapes repository"),
        ({"path": b"foo/bar/../../../baz"}, "path escapes repository"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await commit_of(daemon, repo, **{"path": b"x", **fields})
