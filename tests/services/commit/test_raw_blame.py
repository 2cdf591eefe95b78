"""CommitService/RawBlame (commit.md 3.3); `git blame -p` is the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import RawBlameError, RawBlameRequest, RawBlameResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.errors_pb2 import PathNotFoundError
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused


async def responses(
    daemon: Daemon, repo: Repo, path: bytes = b"file", **fields: Any
) -> list[RawBlameResponse]:
    request = RawBlameRequest(repository=repo.message, **{"revision": b"main", "path": path, **fields})
    return await collect(daemon.stub(CommitServiceStub).RawBlame(request))


async def blamed(daemon: Daemon, repo: Repo, path: bytes = b"file", **fields: Any) -> bytes:
    return b"".join(message.data for message in await responses(daemon, repo, path, **fields))


def by_git(repo: Repo, *flags: str, revision: str = "main", path: str | bytes = "file") -> bytes:
    return repo.git_bytes("blame", "-p", *flags, revision, "--", path)


def edited(repo: Repo) -> list[str]:
    """A file of four lines, two of which are of the second commit, in a folder of its own kind."""
    first = repo.commit(
        "first\n", {"file": b"1\n2\n3\n4\n", b"d/\xff": b"x", "empty": b"", "none": b"no end"}
    )
    files = {
        "file": b"1\n2\n33\n44\n",
        b"d/\xff": b"y",
        "empty": b"",
        "none": b"no end",
        "sub": ("160000", "1" * repo.format.hex_length),
        ".mailmap": b"Mapped <author@example.com>\n",
    }
    second = repo.commit("second\n", files, [first], author="B <b@example.com>", ref="refs/heads/main")
    repo.tag("v1", first)
    return [first, second]


async def test_lines_are_blamed_as_git_does_it(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    first, second = edited(repo)

    output = await blamed(daemon, repo)
    assert output == by_git(repo)
    assert b"author Mapped\n" in output
    assert output.count(second.encode()) == 2
    assert await blamed(daemon, repo, revision=b"v1") == by_git(repo, revision="v1")
    assert await blamed(daemon, repo, revision=first.encode()) == by_git(repo, revision=first)
    for path in (b"d/\xff", b"none"):
        assert await blamed(daemon, repo, path) == by_git(repo, path=path) != b""
    assert await blamed(daemon, repo, b"d/../file") == output
    assert await blamed(daemon, repo, b"./file") == output


async def test_an_empty_file_gives_no_message(daemon: Daemon, repo: Repo) -> None:
    edited(repo)

    assert await responses(daemon, repo, b"empty") == []


async def test_a_range_limits_the_lines(daemon: Daemon, any_format_repo: Repo) -> None:
    edited(any_format_repo)

    for lines in ("2,3", "4,100", "3,2", "1,1"):
        assert await blamed(daemon, any_format_repo, range=lines.encode()) == by_git(
            any_format_repo, "-L", lines
        )


async def test_a_range_behind_the_end_is_told_the_length(daemon: Daemon, any_format_repo: Repo) -> None:
    edited(any_format_repo)

    for path, lines, length in ((b"file", b"5,6", 4), (b"none", b"3,4", 1), (b"empty", b"1,2", 0)):
        outside = RawBlameError.OutOfRangeError(actual_lines=length)
        detail = RawBlameError(out_of_range=outside)
        async with refused(StatusCode.INVALID_ARGUMENT, "range is outside of the file length", detail):
            await blamed(daemon, any_format_repo, path, range=lines)


async def test_ignored_revisions_are_not_blamed(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    first, second = edited(repo)
    ignoring = repo.blob(f"# reformatted\n\n{second}\n".encode())
    repo.ref("refs/tags/ignoring", ignoring)
    repo.commit(
        "c\n", {"file": b"1\n2\n33\n44\n", "ignored": ("100644", ignoring)}, [second], ref="refs/heads/main"
    )

    output = await blamed(daemon, repo, ignore_revisions_blob=b"refs/heads/main:ignored")

    assert output == by_git(repo, "--ignore-rev", second)
    assert second.encode() not in output
    assert output.count(first.encode()) == 4
    for name in (ignoring.encode(), b"ignoring"):
        assert await blamed(daemon, repo, ignore_revisions_blob=name) == output
    assert await blamed(daemon, repo, ignore_revisions_blob=repo.blob(b"").encode()) == by_git(repo)
    assert await blamed(daemon, repo, ignore_revisions_blob=repo.blob(b"# no\n").encode()) == by_git(repo)


async def test_a_list_of_ignored_revisions_that_is_not_there_is_an_error(daemon: Daemon, repo: Repo) -> None:
    edited(repo)

    def detail(name: bytes) -> RawBlameError:
        unresolved = RawBlameError.ResolveIgnoreRevsError(ignore_revisions_blob=name)
        return RawBlameError(resolve_ignore_revs=unresolved)

    for name in (b"refs/heads/main:nope", b"f" * 40, b"-x", b"a b"):
        async with refused(StatusCode.NOT_FOUND, "cannot resolve ignore-revs blob", detail(name)):
            await blamed(daemon, repo, ignore_revisions_blob=name)
    for name in (b"main", b"main:d"):
        async with refused(StatusCode.INVALID_ARGUMENT, "ignore revision is not a blob", detail(name)):
            await blamed(daemon, repo, ignore_revisions_blob=name)


async def test_a_list_with_anything_but_ids_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    edited(any_format_repo)
    ignoring = any_format_repo.blob(b"main\n")

    invalid = RawBlameError.InvalidIgnoreRevsFormatError(content=b"main\n")
    detail = RawBlameError(invalid_ignore_revs_format=invalid)
    async with refused(StatusCode.NOT_FOUND, "invalid object name", detail):
        await blamed(daemon, any_format_repo, ignore_revisions_blob=ignoring.encode())


@pytest.mark.parametrize("path", [b"nope", b"d", b"d/nope", b"sub", b".", b"fi*", b"file/", b":(top)file"])
async def test_a_path_that_is_no_file_is_not_found(
    daemon: Daemon, any_format_repo: Repo, path: bytes
) -> None:
    edited(any_format_repo)
    detail = RawBlameError(path_not_found=PathNotFoundError(path=path))

    async with refused(StatusCode.NOT_FOUND, "path not found in revision", detail):
        await blamed(daemon, any_format_repo, path)


@pytest.mark.parametrize(
    "fields", [{"revision": b"nope"}, {"revision": b"f" * 40}, {"range": b"0,2"}], ids=str
)
async def test_other_failures_are_internal(daemon: Daemon, repo: Repo, fields: dict[str, Any]) -> None:
    edited(repo)

    async with refused(StatusCode.INTERNAL, "blaming file: exit status 128"):
        await blamed(daemon, repo, **fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"revision": b"", "path": b""}, "empty revision"),
        ({"revision": b"-main"}, "revision can't start with '-'"),
        ({"path": b"", "range": b"x"}, "empty Path"),
        ({"path": b"/file", "range": b"x"}, "path escapes repository root"),
        ({"path": b"../file"}, "path escapes repository root"),
        ({"path": b"d/../../file"}, "path escapes repository root"),
        ({"range": b"1"}, "invalid Range"),
        ({"range": b"1,2\n"}, "invalid Range"),
        ({"range": b"-1,2"}, "invalid Range"),
        ({"range": b"1,+2"}, "invalid Range"),
        ({"range": b":main:file"}, "invalid Range"),
        ({"range": b"\xd9\xa1,\xd9\xa2"}, "invalid Range"),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await blamed(daemon, repo, **fields)


async def test_long_output_comes_in_pieces(daemon: Daemon, repo: Repo) -> None:
    lines = b"".join(b"%d %s\n" % (number, b"x" * 200) for number in range(2000))
    repo.commit("long\n", {"file": lines + b"y" * 300_000}, ref="refs/heads/main")

    messages = await responses(daemon, repo)

    assert b"".join(message.data for message in messages) == by_git(repo)
    assert all(0 < len(message.data) <= 131_072 for message in messages)


async def test_a_name_that_looks_like_an_option_is_a_path(daemon: Daemon, repo: Repo) -> None:
    repo.commit("c\n", {"--contents": b"1\n"}, ref="refs/heads/main")

    assert await blamed(daemon, repo, b"--contents") == by_git(repo, path="--contents") != b""
