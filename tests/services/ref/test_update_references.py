"""RefService/UpdateReferences (ref-blob.md 5.9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import InvalidRefFormatError, ReferencesLockedError, ReferenceStateMismatchError
from gitaly_py.pb.ref_pb2 import UpdateReferencesError, UpdateReferencesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.pushes import eventually
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.smarthttp import git_processes
from tests.support.status import refused

ABORTED = "The operation could not be completed. Please try again."
Request = UpdateReferencesRequest


def change(reference: str | bytes, new: str, old: str = "") -> Request.Update:
    name = reference.encode() if isinstance(reference, str) else reference
    return Request.Update(reference=name, old_object_id=old.encode(), new_object_id=new.encode())


async def send(daemon: Daemon, *requests: Request) -> None:
    await daemon.stub(RefServiceStub).UpdateReferences(iter(requests))


async def update(daemon: Daemon, repo: Repo, *changes: Request.Update) -> None:
    await send(daemon, Request(repository=repo.message, updates=changes))


@pytest.fixture
def commits(any_format_repo: Repo) -> list[str]:
    """Three commits; `refs/heads/main` is at the second."""
    made = any_format_repo.history(3)
    any_format_repo.ref("refs/heads/main", made[1])
    return made


async def test_references_are_created_updated_and_deleted_together(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    repo, zero = any_format_repo, any_format_repo.format.zero_oid
    repo.ref("refs/heads/gone", commits[0])

    await update(
        daemon,
        repo,
        change("refs/heads/main", commits[2], commits[1]),
        change("refs/heads/new", commits[0], zero),
        change("refs/heads/gone", zero, commits[0]),
        change("refs/tags/forced", commits[1]),
        change("refs/keep-around/" + commits[0], commits[0]),
    )

    assert repo.references() == {
        b"refs/heads/main": commits[2],
        b"refs/heads/new": commits[0],
        b"refs/tags/forced": commits[1],
        b"refs/keep-around/" + commits[0].encode(): commits[0],
    }


@pytest.mark.parametrize("name", [b"refs/heads/\xff", b"refs/single", b"refs/heads/-x", b"refs/heads/@"])
async def test_any_valid_name_can_be_created(daemon: Daemon, any_format_repo: Repo, name: bytes) -> None:
    oid = any_format_repo.commit()

    await update(daemon, any_format_repo, change(name, oid))

    assert any_format_repo.references() == {name: oid}


async def test_without_an_old_value_nothing_is_checked(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    zero = any_format_repo.format.zero_oid

    await update(
        daemon, any_format_repo, change("refs/heads/main", commits[0]), change("refs/heads/absent", zero)
    )

    assert any_format_repo.references() == {b"refs/heads/main": commits[0]}


async def test_deleting_an_absent_reference_that_must_not_exist_is_fine(daemon: Daemon, repo: Repo) -> None:
    zero = repo.format.zero_oid

    await update(daemon, repo, change("refs/heads/absent", zero, zero))


async def test_symbolic_references_are_followed(daemon: Daemon, repo: Repo) -> None:
    first, second = repo.history(2)
    repo.ref("refs/heads/main", first)
    repo.symref("refs/heads/alias", "refs/heads/main")

    await update(daemon, repo, change("refs/heads/alias", second))

    assert repo.references() == {b"refs/heads/main": second, b"refs/heads/alias": second}
    assert repo.git("symbolic-ref", "refs/heads/alias") == "refs/heads/main"


async def test_a_tag_may_point_at_a_blob(daemon: Daemon, any_format_repo: Repo) -> None:
    blob = any_format_repo.blob(b"content")

    await update(daemon, any_format_repo, change("refs/tags/blob", blob))

    assert any_format_repo.references() == {b"refs/tags/blob": blob}


@pytest.mark.parametrize("with_repository", [True, False], ids=["as Rails sends it", "as specified"])
async def test_several_messages_make_one_transaction(
    daemon: Daemon, any_format_repo: Repo, commits: list[str], with_repository: bool
) -> None:
    names = [f"refs/heads/branch-{number:03}" for number in range(300)]
    requests = [
        Request(
            repository=any_format_repo.message if with_repository or begin == 0 else None,
            updates=[change(name, commits[0]) for name in names[begin : begin + 100]],
        )
        for begin in range(0, 300, 100)
    ]

    await send(daemon, *requests)

    assert list(any_format_repo.references()) == [*(name.encode() for name in names), b"refs/heads/main"]


async def test_one_failing_update_leaves_everything_as_it_was(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    before = any_format_repo.references()

    async with refused(StatusCode.ABORTED, ABORTED, mismatch("refs/heads/main", commits[0], commits[1])):
        await update(
            daemon,
            any_format_repo,
            change("refs/heads/new", commits[0]),
            change("refs/heads/main", commits[2], commits[0]),
        )

    assert any_format_repo.references() == before


def mismatch(name: str, expected: str, actual: str) -> UpdateReferencesError:
    return UpdateReferencesError(
        reference_state_mismatch=ReferenceStateMismatchError(
            reference_name=name.encode(),
            expected_object_id=expected.encode(),
            actual_object_id=actual.encode(),
        )
    )


async def test_a_locked_reference_aborts(daemon: Daemon, any_format_repo: Repo, commits: list[str]) -> None:
    write(any_format_repo, "refs/heads/main.lock", "")
    locked = UpdateReferencesError(references_locked=ReferencesLockedError(refs=[b"refs/heads/main"]))

    async with refused(StatusCode.ABORTED, ABORTED, locked):
        await update(daemon, any_format_repo, change("refs/heads/main", commits[0]))

    assert any_format_repo.references() == {b"refs/heads/main": commits[1]}


async def test_a_missing_object_is_not_found(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    absent = "1" * any_format_repo.format.hex_length

    async with refused(StatusCode.NOT_FOUND, "target object missing"):
        await update(daemon, any_format_repo, change("refs/heads/new", absent))


async def test_a_branch_of_a_blob_is_refused(daemon: Daemon, any_format_repo: Repo) -> None:
    async with refused(StatusCode.INTERNAL, "committing update: target object not a commit"):
        await update(daemon, any_format_repo, change("refs/heads/blob", any_format_repo.blob(b"content")))


async def test_a_reference_that_must_not_exist_is_refused(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    zero = any_format_repo.format.zero_oid

    async with refused(StatusCode.INTERNAL, "committing update: reference already exists"):
        await update(daemon, any_format_repo, change("refs/heads/main", commits[0], zero))


async def test_an_absent_reference_has_no_old_value(
    daemon: Daemon, any_format_repo: Repo, commits: list[str]
) -> None:
    async with refused(StatusCode.INTERNAL, "committing update: exit status 128"):
        await update(daemon, any_format_repo, change("refs/heads/absent", commits[0], commits[0]))


@pytest.mark.parametrize(
    ("names", "text"),
    [
        pytest.param(
            ["refs/heads/new", "refs/heads/new"],
            "reference has been updated multiple times within a transaction",
            id="twice",
        ),
        pytest.param(["refs/heads/main/below"], "file directory conflict", id="below a reference"),
        pytest.param(
            ["refs/heads/a", "refs/heads/a/b"],
            "conflicting reference updates in the same transaction",
            id="below one another",
        ),
    ],
)
async def test_names_that_exclude_one_another_are_refused(
    daemon: Daemon, any_format_repo: Repo, commits: list[str], names: list[str], text: str
) -> None:
    async with refused(StatusCode.INTERNAL, f"committing update: {text}"):
        await update(daemon, any_format_repo, *(change(name, commits[0]) for name in names))


async def test_a_symbolic_reference_and_its_target_cannot_be_updated_together(
    daemon: Daemon, repo: Repo
) -> None:
    oid = repo.commit(ref="refs/heads/main")
    repo.symref("refs/heads/alias", "refs/heads/main")

    async with refused(StatusCode.INTERNAL, "committing update: exit status 128"):
        await update(daemon, repo, change("refs/heads/main", oid), change("refs/heads/alias", oid))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"HEAD", "HEAD reference not allowed"),
        (b"heads/main", "reference is not fully qualified"),
        (b"", "reference is not fully qualified"),
        (b"refs/", "refs/ is not a valid reference"),
        (b"refs/heads/main/", "reference must not end with slash"),
        (b"refs/heads/a..b", "reference must not contain double dots"),
        (b"refs/heads/a b", "reference must not contain space characters"),
        (b"refs/heads/a:b", "reference must not contain special characters"),
        (b"refs/heads/a\0b", "reference must not contain control characters"),
        (b"refs/heads//b", "empty component is not allowed"),
        (b"refs/heads/b.lock", "component must not end with .lock"),
    ],
)
async def test_malformed_names_are_refused(daemon: Daemon, repo: Repo, name: bytes, text: str) -> None:
    oid = repo.commit()
    detail = UpdateReferencesError(invalid_format=InvalidRefFormatError(refs=[name]))

    async with refused(StatusCode.INVALID_ARGUMENT, f"validating reference: {text}", detail):
        await update(daemon, repo, change("refs/heads/good", oid), change(name, oid), change(b"refs/", oid))

    assert repo.references() == {}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("", "", 'new object ID: invalid object ID: "", expected length 40, got 0'),
        ("", "abc", 'new object ID: invalid object ID: "abc", expected length 40, got 3'),
        ("", "G" * 40, f"new object ID: invalid object ID: \"{'G' * 40}\", invalid character 'G'"),
        ("main", "0" * 40, 'old object ID: invalid object ID: "main", expected length 40, got 4'),
        ("A" * 40, "0" * 40, f"old object ID: invalid object ID: \"{'A' * 40}\", invalid character 'A'"),
    ],
)
async def test_malformed_object_ids_are_refused(
    daemon: Daemon, repo: Repo, old: str, new: str, text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, f"validating {text}"):
        await update(daemon, repo, change("refs/heads/main", new, old))


async def test_object_ids_must_be_of_the_repositorys_format(daemon: Daemon, new_repo: NewRepo) -> None:
    repo = new_repo(object_format="sha256")
    text = f'validating new object ID: invalid object ID: "{"1" * 40}", expected length 64, got 40'

    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await update(daemon, repo, change("refs/heads/main", "1" * 40))


@pytest.mark.parametrize("position", [0, 1], ids=["first", "later"])
async def test_every_message_must_have_updates(daemon: Daemon, repo: Repo, position: int) -> None:
    good = Request(repository=repo.message, updates=[change("refs/heads/main", repo.commit())])
    requests = [good] * position + [Request(repository=None if position else repo.message)]

    async with refused(StatusCode.INVALID_ARGUMENT, "no updates specified"):
        await send(daemon, *requests)

    assert repo.references() == {}


async def test_another_repository_in_a_later_message_is_refused(
    daemon: Daemon, repo: Repo, new_repo: NewRepo
) -> None:
    oid = repo.commit()
    requests = [
        Request(repository=each.message, updates=[change("refs/heads/main", oid)])
        for each in (repo, new_repo())
    ]

    async with refused(StatusCode.INVALID_ARGUMENT, "repository set in subsequent request"):
        await send(daemon, *requests)

    assert repo.references() == {}


async def test_a_stream_without_messages_fails(daemon: Daemon) -> None:
    async with refused(StatusCode.INTERNAL, "receiving initial request: EOF"):
        await send(daemon)


async def test_a_client_that_hangs_up_changes_nothing(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit()

    async def requests() -> AsyncIterator[Request]:
        yield Request(repository=repo.message, updates=[change("refs/heads/main", oid)])
        await asyncio.Event().wait()

    call = daemon.stub(RefServiceStub).UpdateReferences(requests())
    await eventually(lambda: bool(git_processes(daemon, repo)))
    call.cancel()

    path = repo.message.relative_path
    entry = await daemon.access_entry("UpdateReferences", **{"grpc.request.repoPath": path})
    assert entry["grpc.code"] == "Canceled"
    assert git_processes(daemon, repo) == []
    assert repo.references() == {}
