"""RefService/DeleteRefs (ref-blob.md 5.10)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import InvalidRefFormatError, ReferencesLockedError
from gitaly_py.pb.ref_pb2 import DeleteRefsError, DeleteRefsRequest, DeleteRefsResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.status import refused

ABORTED = "The operation could not be completed. Please try again."


async def delete(
    daemon: Daemon, repo: Repo, *refs: bytes, all_but: tuple[bytes, ...] = ()
) -> DeleteRefsResponse:
    request = DeleteRefsRequest(repository=repo.message, refs=refs, except_with_prefix=all_but)
    return await daemon.stub(RefServiceStub).DeleteRefs(request)


@pytest.fixture(params=["loose", "packed"])
def full_repo(any_format_repo: Repo, request: pytest.FixtureRequest) -> Repo:
    oid = any_format_repo.commit()
    for name in ("heads/main", "heads/mainly", "heads/other", "keep-around/x", "tags/v1", "tags/v2", "tmp/1"):
        any_format_repo.ref(f"refs/{name}", oid)
    if request.param == "packed":
        any_format_repo.git("pack-refs", "--all")
    return any_format_repo


async def test_the_named_references_are_deleted(daemon: Daemon, full_repo: Repo) -> None:
    response = await delete(daemon, full_repo, b"refs/heads/other", b"refs/tags/v1", b"refs/keep-around/x")

    assert response == DeleteRefsResponse()
    assert list(full_repo.references()) == [
        b"refs/heads/main",
        b"refs/heads/mainly",
        b"refs/tags/v2",
        b"refs/tmp/1",
    ]


async def test_all_but_those_with_a_prefix_are_deleted(daemon: Daemon, full_repo: Repo) -> None:
    await delete(daemon, full_repo, all_but=(b"refs/heads/main", b"refs/keep", b"nonsense"))

    assert list(full_repo.references()) == [b"refs/heads/main", b"refs/heads/mainly", b"refs/keep-around/x"]


async def test_deleting_nothing_is_fine(daemon: Daemon, full_repo: Repo) -> None:
    before = full_repo.references()

    await delete(daemon, full_repo, all_but=(b"refs/",))
    await delete(daemon, full_repo, b"refs/heads/absent")

    assert full_repo.references() == before


async def test_an_empty_repository_stays_empty(daemon: Daemon, any_format_repo: Repo) -> None:
    await delete(daemon, any_format_repo, all_but=(b"refs/heads/",))

    assert any_format_repo.git("symbolic-ref", "HEAD") == "refs/heads/main"


@pytest.mark.parametrize("by_name", [True, False])
async def test_symbolic_references_are_deleted_and_their_targets_kept(
    daemon: Daemon, any_format_repo: Repo, by_name: bool
) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    any_format_repo.symref("refs/tags/alias", "refs/heads/main")

    if by_name:
        await delete(daemon, any_format_repo, b"refs/tags/alias")
    else:
        await delete(daemon, any_format_repo, all_but=(b"refs/heads/",))

    assert any_format_repo.references() == {b"refs/heads/main": oid}


async def test_names_that_are_not_utf8_are_deleted(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref=b"refs/heads/\xff")

    await delete(daemon, repo, b"refs/heads/\xff")

    assert repo.references() == {}


async def test_very_many_references_are_deleted_at_once(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit()
    lines = [f"{oid} refs/heads/branch-{number:05}\n" for number in range(3_000)]
    write(repo, "packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines))

    await delete(daemon, repo, all_but=(b"refs/heads/branch-01234",))

    assert repo.references() == {b"refs/heads/branch-01234": oid}


@pytest.mark.parametrize(
    ("refs", "all_but", "text"),
    [
        pytest.param(
            (b"refs/x",), (b"refs/",), "ExceptWithPrefix and Refs are mutually exclusive", id="both"
        ),
        pytest.param((), (), "empty ExceptWithPrefix and Refs", id="neither"),
        pytest.param((), (b"refs/x", b""), "empty prefix for exclusion", id="empty prefix"),
        pytest.param((b"refs/x", b""), (), "empty ref", id="empty reference"),
    ],
)
async def test_requests_that_say_nothing_clear_are_refused(
    daemon: Daemon, repo: Repo, refs: tuple[bytes, ...], all_but: tuple[bytes, ...], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await delete(daemon, repo, *refs, all_but=all_but)


async def test_all_malformed_names_are_told(daemon: Daemon, full_repo: Repo) -> None:
    before = full_repo.references()
    bad = [b"refs invalid-ref-format", b"-x", b"HEAD", b"refs/a:b", b"refs/a\\b", b"refs/\0"]
    detail = DeleteRefsError(invalid_format=InvalidRefFormatError(refs=bad))

    async with refused(StatusCode.INVALID_ARGUMENT, "invalid references", detail):
        await delete(daemon, full_repo, b"refs/heads/main", *bad)

    assert full_repo.references() == before


async def test_a_locked_reference_aborts(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")
    any_format_repo.ref("refs/heads/other", oid)
    write(any_format_repo, "refs/heads/main.lock", "")
    locked = DeleteRefsError(references_locked=ReferencesLockedError(refs=[b"refs/heads/main"]))

    async with refused(StatusCode.ABORTED, ABORTED, locked):
        await delete(daemon, any_format_repo, b"refs/heads/other", b"refs/heads/main")

    assert any_format_repo.references() == {b"refs/heads/main": oid, b"refs/heads/other": oid}


@pytest.mark.parametrize(
    ("refs", "text"),
    [
        pytest.param(
            (b"refs/heads/main", b"refs/heads/main"),
            "reference has been updated multiple times within a transaction",
            id="twice",
        ),
        pytest.param((b"refs/heads/foo..bar",), "invalid reference format", id="two dots"),
        pytest.param((b"foo",), "exit status 128", id="unqualified"),
    ],
)
async def test_what_git_refuses_fails(
    daemon: Daemon, full_repo: Repo, refs: tuple[bytes, ...], text: str
) -> None:
    before = full_repo.references()

    async with refused(StatusCode.INTERNAL, f"unable to prepare: {text}"):
        await delete(daemon, full_repo, *refs)

    assert full_repo.references() == before
