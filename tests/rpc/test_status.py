"""Statuses: prefixes, codes by class, details (daemon.md 9)."""

from __future__ import annotations

import pytest
from google.rpc import status_pb2
from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.pb.errors_pb2 import PathError, ReferenceNotFoundError
from gitaly_py.rpc.status import (
    AlreadyExists,
    Detailed,
    InvalidArgument,
    NotFound,
    code_of,
    during,
    status_of,
)
from gitaly_py.storage.errors import RepositoryNotFound


class Base(Exception):
    pass


class Leaf(Base):
    pass


def caught(error: Exception, *wrappers: tuple[str, StatusCode | None]) -> Exception:
    """`error` after it passed through `during` blocks, innermost first."""
    for what, undecided in wrappers:
        try:
            with during(what, undecided=undecided):
                raise error
        except Exception as passed:
            error = passed
    return error


def test_context_is_prefixed_outermost_first() -> None:
    error = caught(NotFound("missing"), ("inner", None), ("outer", None))
    assert status_of(error).message == "outer: inner: missing"


def test_the_innermost_code_survives_wrapping() -> None:
    error = caught(AlreadyExists("there"), ("creating", StatusCode.INTERNAL))
    assert status_of(error).code is StatusCode.ALREADY_EXISTS


def test_an_undecided_error_takes_the_innermost_choice() -> None:
    error = caught(Leaf("x"), ("a", StatusCode.FAILED_PRECONDITION), ("b", StatusCode.INTERNAL))
    assert status_of(error, {Base: None}).code is StatusCode.FAILED_PRECONDITION


def test_an_error_without_any_choice_is_internal() -> None:
    assert status_of(Leaf("x"), {Base: None}).code is StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("tables", "code"),
    [
        ([{Base: StatusCode.NOT_FOUND}], StatusCode.NOT_FOUND),
        ([{Leaf: StatusCode.ABORTED, Base: StatusCode.NOT_FOUND}], StatusCode.ABORTED),
        ([{Base: StatusCode.DATA_LOSS}, {Leaf: StatusCode.ABORTED}], StatusCode.DATA_LOSS),
    ],
    ids=["by its base", "by its own class first", "the RPC's table before the general one"],
)
def test_codes_are_looked_up_along_the_bases(
    tables: list[dict[type[BaseException], StatusCode]], code: StatusCode
) -> None:
    assert status_of(Leaf("x"), *tables).code is code


def test_details_are_packed_outermost_first() -> None:
    try:
        with during("outer", PathError(path=b"p")):
            raise NotFound("x", ReferenceNotFoundError(reference_name=b"r"))
    except NotFound as error:
        encoded = status_of(error).encoded()
    assert encoded is not None
    status = status_pb2.Status.FromString(encoded)
    assert [detail.type_url for detail in status.details] == [
        "type.googleapis.com/gitaly.PathError",
        "type.googleapis.com/gitaly.ReferenceNotFoundError",
    ]
    assert (status.code, status.message) == (StatusCode.NOT_FOUND.value[0], "outer: x")


def test_a_row_of_the_table_may_add_a_detail_that_it_makes_of_the_error() -> None:
    row = Detailed(StatusCode.NOT_FOUND, lambda error: PathError(path=str(error).encode()))
    error = caught(Leaf("x"), ("outer", StatusCode.INTERNAL))

    status = status_of(error, {Leaf: row}, {Base: None})

    assert (status.code, status.message) == (StatusCode.NOT_FOUND, "outer: x")
    assert status.details == (PathError(path=b"x"),)
    assert code_of(error, {Base: row}) is StatusCode.NOT_FOUND


def test_a_status_without_details_has_no_encoded_form() -> None:
    assert status_of(InvalidArgument("x")).encoded() is None


def test_a_cancelled_call_keeps_its_text_and_loses_its_code() -> None:
    status = status_of(InvalidArgument("bad"), over=StatusCode.CANCELLED)
    assert (status.code, status.message) == (StatusCode.CANCELLED, "bad")


def test_details_survive_a_message_with_octets_that_are_no_text() -> None:
    error = NotFound(b"no \xff here".decode("utf-8", "surrogateescape"), PathError(path=b"p"))
    encoded = status_of(error).encoded()
    assert encoded is not None
    assert status_pb2.Status.FromString(encoded).message == "no ? here"


def test_what_is_known_of_an_error_and_its_causes_is_kept_for_the_log() -> None:
    try:
        try:
            raise CommandFailed("rev-list", 128, b"fatal: bad object\n")
        except CommandFailed as cause:
            raise RepositoryNotFound("/storage/x.git") from cause
    except RepositoryNotFound as error:
        status = status_of(error, {RepositoryNotFound: StatusCode.NOT_FOUND})

    assert dict(status.facts) == {"path": "/storage/x.git", "stderr": "fatal: bad object\n"}
    assert status.encoded() is None


def test_the_outermost_of_several_facts_of_a_name_counts() -> None:
    error = RepositoryNotFound("/outer")
    error.__cause__ = RepositoryNotFound("/inner")
    assert status_of(error).facts == (("path", "/outer"),)
