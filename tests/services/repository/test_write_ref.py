"""WriteRef (repository.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import ReferenceNotFoundError
from gitaly_py.pb.repository_pb2 import WriteRefRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.rpc.status import ABORTED_TEXT
from tests.support.repositories import Repo
from tests.support.status import refused


async def write(
    stub: RepositoryServiceStub, repo: Repo, ref: str | bytes, revision: str | bytes, old: str | bytes = b""
) -> None:
    ref, revision, old = (each.encode() if isinstance(each, str) else each for each in (ref, revision, old))
    await stub.WriteRef(
        WriteRefRequest(repository=repo.message, ref=ref, revision=revision, old_revision=old)
    )


async def test_a_reference_is_created(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(ref="refs/heads/main")

    await write(repositories, any_format_repo, "refs/heads/new", "main")

    assert any_format_repo.references()[b"refs/heads/new"] == oid


async def test_a_reference_is_moved_without_a_check_by_default(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    first, second = any_format_repo.history(2, "refs/heads/main")

    await write(repositories, any_format_repo, "refs/heads/main", first)

    assert any_format_repo.references() == {b"refs/heads/main": first}
    assert first != second


async def test_zeros_delete_a_reference(repositories: RepositoryServiceStub, any_format_repo: Repo) -> None:
    any_format_repo.commit(ref="refs/heads/main")

    await write(repositories, any_format_repo, "refs/heads/main", any_format_repo.format.zero_oid)

    assert any_format_repo.references() == {}


async def test_deleting_what_is_not_there_succeeds(repositories: RepositoryServiceStub, repo: Repo) -> None:
    await write(repositories, repo, "refs/heads/absent", repo.format.zero_oid)

    assert repo.references() == {}


async def test_a_tag_is_not_peeled(repositories: RepositoryServiceStub, repo: Repo) -> None:
    tag = repo.tag("v1", repo.commit())

    await write(repositories, repo, "refs/keep-around/tag", "v1")

    assert repo.references()[b"refs/keep-around/tag"] == tag


async def test_a_name_need_not_be_utf8(repositories: RepositoryServiceStub, repo: Repo) -> None:
    oid = repo.commit()

    await write(repositories, repo, b"refs/heads/\xff", oid)

    assert repo.references() == {b"refs/heads/\xff": oid}


async def test_a_symbolic_reference_is_followed(repositories: RepositoryServiceStub, repo: Repo) -> None:
    first, second = repo.history(2, "refs/heads/main")
    repo.symref("refs/heads/alias", "refs/heads/main")

    await write(repositories, repo, "refs/heads/alias", first, second)

    assert repo.git("symbolic-ref", "refs/heads/alias") == "refs/heads/main"
    assert repo.references()[b"refs/heads/main"] == first


async def test_the_old_value_may_be_given_as_any_revision(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    first, second = repo.history(2, "refs/heads/main")

    await write(repositories, repo, "refs/heads/main", "main~1", "main")

    assert repo.references()[b"refs/heads/main"] == first != second


async def test_zeros_as_old_value_demand_that_there_is_none(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    oid = any_format_repo.commit()
    zero = any_format_repo.format.zero_oid

    await write(repositories, any_format_repo, "refs/heads/new", oid, zero)
    text = "error when running update-ref command: reference already exists"
    async with refused(StatusCode.INTERNAL, text):
        await write(repositories, any_format_repo, "refs/heads/new", oid, zero)


async def test_a_wrong_old_value_is_refused(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    first, second = any_format_repo.history(2, "refs/heads/main")

    text = "error when running update-ref command: reference does not point to expected object"
    async with refused(StatusCode.INTERNAL, text):
        await write(repositories, any_format_repo, "refs/heads/main", first, first)

    assert any_format_repo.references()[b"refs/heads/main"] == second


async def test_an_old_value_of_what_is_not_there_is_refused(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    oid = repo.commit()

    async with refused(StatusCode.INTERNAL, "error when running update-ref command: exit status 128"):
        await write(repositories, repo, "refs/heads/absent", oid, oid)


async def test_an_unknown_revision_is_not_found(repositories: RepositoryServiceStub, repo: Repo) -> None:
    detail = ReferenceNotFoundError(reference_name=b"refs/heads/absent")
    async with refused(StatusCode.NOT_FOUND, "resolving new revision: reference not found", detail):
        await write(repositories, repo, "refs/heads/main", "refs/heads/absent")


async def test_a_missing_object_is_not_found(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    oid = "1" * any_format_repo.format.hex_length

    detail = ReferenceNotFoundError(reference_name=oid.encode())
    async with refused(StatusCode.NOT_FOUND, "resolving new revision: reference not found", detail):
        await write(repositories, any_format_repo, "refs/heads/main", oid)


async def test_an_unknown_old_revision_is_not_found(repositories: RepositoryServiceStub, repo: Repo) -> None:
    detail = ReferenceNotFoundError(reference_name=b"absent")
    async with refused(StatusCode.NOT_FOUND, "resolving old revision: reference not found", detail):
        await write(repositories, repo, "refs/heads/main", repo.commit(), "absent")


async def test_the_zeros_of_another_format_are_a_missing_object(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    zeros = b"0" * 64
    detail = ReferenceNotFoundError(reference_name=zeros)
    async with refused(StatusCode.NOT_FOUND, "resolving new revision: reference not found", detail):
        await write(repositories, repo, "refs/heads/main", zeros)


async def test_a_locked_reference_may_be_tried_again(repositories: RepositoryServiceStub, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    Path(repo.path, "refs/heads/main.lock").touch()

    async with refused(StatusCode.ABORTED, ABORTED_TEXT):
        await write(repositories, repo, "refs/heads/main", oid)


async def test_a_file_directory_conflict_is_refused(repositories: RepositoryServiceStub, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")

    text = "error when running update-ref command: file directory conflict"
    async with refused(StatusCode.INTERNAL, text):
        await write(repositories, repo, "refs/heads/main/below", oid)


async def test_a_name_git_refuses_is_an_error(repositories: RepositoryServiceStub, repo: Repo) -> None:
    oid = repo.commit()

    text = "error when running update-ref command: invalid reference format"
    async with refused(StatusCode.INTERNAL, text):
        await write(repositories, repo, "refs/heads/a..b", oid)


async def test_a_branch_must_be_a_commit(repositories: RepositoryServiceStub, repo: Repo) -> None:
    text = "error when running update-ref command: target object not a commit"
    async with refused(StatusCode.INTERNAL, text):
        await write(repositories, repo, "refs/heads/main", repo.blob(b"x"))


async def test_the_default_branch_is_changed(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.commit(ref="refs/heads/develop")

    await write(repositories, any_format_repo, "HEAD", "refs/heads/develop", "ignored")

    assert any_format_repo.git("symbolic-ref", "HEAD") == "refs/heads/develop"


async def test_the_default_branch_need_not_exist(repositories: RepositoryServiceStub, repo: Repo) -> None:
    await write(repositories, repo, "HEAD", "refs/heads/unborn")

    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/unborn"


@pytest.mark.parametrize("name", ["develop", "HEAD", "refs/heads/a..b", "refs/heads/x.lock"])
async def test_the_default_branch_must_be_a_full_name(
    repositories: RepositoryServiceStub, repo: Repo, name: str
) -> None:
    async with refused(StatusCode.INTERNAL, f'setting default branch: "{name}" is a malformed refname'):
        await write(repositories, repo, "HEAD", name)

    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"


async def test_a_locked_head_is_left_alone(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "HEAD.lock").touch()

    async with refused(StatusCode.ABORTED, ABORTED_TEXT):
        await write(repositories, repo, "HEAD", "refs/heads/develop")

    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"


@pytest.mark.parametrize(
    ("ref", "revision", "old", "text"),
    [
        pytest.param(b"", b"main", b"", "invalid ref: empty revision", id="no ref"),
        pytest.param(
            b"-x", b"main", b"", "invalid ref: revision can't start with '-'", id="ref is an option"
        ),
        pytest.param(b"refs/a:b", b"main", b"", "invalid ref: revision can't contain ':'", id="colon"),
        pytest.param(b"refs/a b", b"main", b"", "invalid ref: revision can't contain whitespace", id="blank"),
        pytest.param(b"refs/a", b"", b"", "invalid revision: empty revision", id="no revision"),
        pytest.param(b"refs/a", b"a\0b", b"", "invalid revision: revision can't contain NUL", id="NUL"),
        pytest.param(
            b"refs/a", b"main", b"a\\b", "invalid OldRevision: revision can't contain '\\'", id="old revision"
        ),
        pytest.param(b"main", b"main", b"", "ref has to be a full reference", id="short name"),
        pytest.param(
            b"main", b"main", b"-", "invalid OldRevision: revision can't start with '-'", id="order"
        ),
    ],
)
async def test_malformed_arguments_are_refused(
    repositories: RepositoryServiceStub, repo: Repo, ref: bytes, revision: bytes, old: bytes, text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await write(repositories, repo, ref, revision, old)
