"""CreateBundleFromRefList (storage-maintenance.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import CreateBundleFromRefListRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.plain_git import PlainGit, assert_same, reachable, references
from tests.support.repositories import Repo
from tests.support.status import broken_off, refused

Request = CreateBundleFromRefListRequest


async def bundle(stub: RepositoryServiceStub, repo: Repo, *messages: list[bytes]) -> bytes:
    """A bundle by the patterns of each message."""

    async def requests() -> AsyncIterator[Request]:
        for number, patterns in enumerate(messages):
            yield Request(repository=None if number else repo.message, patterns=patterns)

    data = b""
    async for message in stub.CreateBundleFromRefList(requests()):
        assert 0 < len(message.data) <= 128 * 1024
        data += message.data
    return data


class History:
    """main has three commits, feature one more; v1 is an annotated tag of the first."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.commits = repo.history(3, "refs/heads/main")
        self.feature = repo.commit("feature\n", {"f": b"f"}, self.commits[-1:], "refs/heads/feature")
        self.v1 = repo.tag("v1", self.commits[0])

    def heads(self, data: bytes, folder: Path) -> dict[str, str]:
        """The references in a bundle, which git must find whole."""
        file = folder / "repo.bundle"
        file.write_bytes(data)
        self.repo.git("bundle", "verify", str(file))
        lines = self.repo.git("bundle", "list-heads", str(file)).splitlines()
        return {line.split(" ")[1]: line.split(" ")[0] for line in lines}

    def expected(self, folder: Path, *lines: bytes, options: tuple[str, ...] = ()) -> dict[str, str]:
        """The references that git itself puts into a bundle."""
        file = folder / "expected.bundle"
        stdin = b"".join(line + b"\n" for line in lines)
        self.repo.git("bundle", "create", str(file), "--ignore-missing", *options, "--stdin", stdin=stdin)
        return self.heads(file.read_bytes(), folder)


@pytest.fixture
def history(any_format_repo: Repo) -> History:
    return History(any_format_repo)


@pytest.fixture
def one(repo: Repo) -> History:
    return History(repo)


async def test_all_references_make_a_whole_repository(
    repositories: RepositoryServiceStub, history: History, tmp_path: Path
) -> None:
    file = tmp_path / "repo.bundle"
    file.write_bytes(await bundle(repositories, history.repo, [b"--all"]))

    PlainGit(tmp_path / "home")("clone", "-q", "--mirror", str(file), str(tmp_path / "mirror.git"))

    assert_same(tmp_path / "mirror.git", history.repo.path)


async def test_an_increment_holds_what_is_new_and_needs_what_is_old(
    repositories: RepositoryServiceStub, history: History, tmp_path: Path
) -> None:
    repo = history.repo
    known = [f"^{oid}".encode() for oid in (history.commits[-1], history.v1)]
    missing = b"^" + b"1" * len(history.feature)

    data = await bundle(repositories, repo, [b"--all"], [*known, missing])

    assert history.heads(data, tmp_path) == {"refs/heads/feature": history.feature}
    clone = Repo.init(tmp_path / "clone.git", repo.format.name)
    clone.git("fetch", "-q", "--no-tags", repo.path, "refs/heads/main:refs/heads/main")
    clone.git("fetch", "-q", "--no-tags", str(tmp_path / "repo.bundle"), "refs/heads/*:refs/heads/*")
    assert references(clone.path) == references(repo.path, "refs/heads/")
    assert reachable(clone.path) == reachable(repo.path, "refs/heads/")


@pytest.mark.parametrize(
    ("patterns", "lines", "options"),
    [
        ([b"refs/heads/main", b"refs/tags/v1"], [b"refs/heads/main", b"refs/tags/v1"], ()),
        ([b"main", b"nowhere", b"^nowhere"], [b"main", b"nowhere", b"^nowhere"], ()),
        ([b"main\nfeature"], [b"main", b"feature"], ()),
        ([b"main~1..feature"], [b"main~1..feature"], ()),
        ([b"--branches=f*"], [], ("--branches=f*",)),
        (
            [b"--exclude=refs/heads/f*", b"--all", b"^main~1"],
            [b"^main~1"],
            ("--exclude=refs/heads/f*", "--all"),
        ),
        ([b"--tags", b"--branches", b"--remotes", b"--glob=heads/x"], [], ("--tags", "--branches")),
        ([b"feature", b"--not", b"main"], [b"feature", b"^main"], ()),
        (
            [b"--all", b"--not", b"--tags", b"main", b"--not", b"feature"],
            [b"feature", b"^main", b"^v1"],
            ("--all",),
        ),
        (
            [b"feature", b"--not", b"main~2..main", b"nowhere..main", b"^main~1"],
            [b"feature", b"^main", b"main~2", b"main~1"],
            (),
        ),
    ],
    ids=str,
)
async def test_patterns_select_what_git_selects(
    repositories: RepositoryServiceStub,
    one: History,
    tmp_path: Path,
    patterns: list[bytes],
    lines: list[bytes],
    options: tuple[str, ...],
) -> None:
    data = await bundle(repositories, one.repo, patterns)

    found = one.heads(data, tmp_path)
    assert found == one.expected(tmp_path, *lines, options=options)
    assert found


async def test_patterns_of_all_messages_count_and_later_repositories_do_not(
    repositories: RepositoryServiceStub, one: History, tmp_path: Path
) -> None:
    async def requests() -> AsyncIterator[Request]:
        yield Request(repository=one.repo.message, patterns=[b"main"])
        other = type(one.repo.message)(storage_name="other", relative_path="nowhere.git")
        yield Request(repository=other, patterns=[b"refs/tags/v1"])

    data = b"".join([message.data async for message in repositories.CreateBundleFromRefList(requests())])

    assert set(one.heads(data, tmp_path)) == {"refs/heads/main", "refs/tags/v1"}


@pytest.mark.parametrize(
    "messages", [[[b"main"], [], [b"feature"], [b"--all"]], [[b"main", b"", b"feature", b"--all"]]], ids=str
)
async def test_an_empty_line_ends_the_patterns(
    repositories: RepositoryServiceStub, one: History, tmp_path: Path, messages: list[list[bytes]]
) -> None:
    data = await bundle(repositories, one.repo, *messages)

    assert set(one.heads(data, tmp_path)) == {"refs/heads/main"}


@pytest.mark.parametrize(
    "messages", [[[]], [[b""]], [[b"nowhere"]], [[b"main", b"^main"]], [[b"--glob=x"]]], ids=str
)
async def test_nothing_left_is_a_failed_precondition(
    repositories: RepositoryServiceStub, one: History, messages: list[list[bytes]]
) -> None:
    async with refused(StatusCode.FAILED_PRECONDITION, "create bundle: refusing to create empty bundle"):
        await bundle(repositories, one.repo, *messages)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (b"--output=/tmp/x", "revision can't start with '-'"),
        (b"main\n--output=/tmp/x", "revision can't start with '-'"),
        (b"-n1", "revision can't start with '-'"),
        (b"--", "revision can't start with '-'"),
        (b"--alternate-refs", "revision can't start with '-'"),
        (b"main\0", "revision can't contain NUL"),
    ],
)
async def test_other_options_are_refused_and_git_is_not_started(
    repositories: RepositoryServiceStub, daemon: Daemon, one: History, pattern: bytes, reason: str
) -> None:
    line = pattern.split(b"\n")[-1].decode().replace("\0", "\\x00")
    async with refused(StatusCode.INVALID_ARGUMENT, f'invalid pattern "{line}": {reason}'):
        await bundle(repositories, one.repo, [b"main"], [pattern])

    where = {"grpc.request.repoPath": one.repo.message.relative_path}
    assert "command.count" not in await daemon.access_entry("CreateBundleFromRefList", **where)


async def test_there_may_be_more_patterns_than_fit_on_a_command_line(
    repositories: RepositoryServiceStub, one: History, tmp_path: Path
) -> None:
    nowhere = [b"^%d/" % number + b"x" * 3000 for number in range(1000)]

    data = await bundle(repositories, one.repo, [b"--all"], nowhere[:500], nowhere[500:])

    assert len(one.heads(data, tmp_path)) == len(references(one.repo.path)) + 1


async def test_a_repository_that_git_cannot_read_is_internal(
    repositories: RepositoryServiceStub, one: History
) -> None:
    oid = one.commits[0]
    Path(one.repo.path, "objects", oid[:2], oid[2:]).unlink()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await bundle(repositories, one.repo, [b"main"])

    assert raised.value.code() == StatusCode.INTERNAL
    assert (raised.value.details() or "").startswith('create bundle: exit status 128: stderr: "')


async def test_the_client_must_send_something(repositories: RepositoryServiceStub) -> None:
    async def nothing() -> AsyncIterator[Request]:
        return
        yield

    messages, error = await broken_off(repositories.CreateBundleFromRefList(nothing()))

    assert (messages, error.code()) == ([], StatusCode.INTERNAL)
    assert (error.details() or "").endswith("EOF")
