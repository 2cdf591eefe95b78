"""Statuses that every client can take."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.pb.errors_pb2 import ReferenceNotFoundError
from gitaly_py.pb.repository_pb2 import GetRawChangesRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.rpc.http2.replies import percent_encoded
from gitaly_py.rpc.shortening import LONGEST, LONGEST_DETAILS, shortened, with_details
from tests.support.daemon import Daemon
from tests.support.repositories import Repo

MARK = "... (truncated)"


@given(st.text(st.characters(), max_size=LONGEST + 20))
def test_a_message_fits_and_loses_no_more_than_it_must(message: str) -> None:
    cut = shortened(message)

    # A space at either end takes two octets more.
    assert len(percent_encoded(cut)) <= LONGEST + 4
    if cut != message:
        assert cut.endswith(MARK)
        beginning = cut.removesuffix(MARK)
        assert message.startswith(beginning)
        assert len(percent_encoded(message[: len(beginning) + 1])) > LONGEST - len(MARK)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - len(MARK)) + MARK),
        ("é" * (LONGEST // 6), "é" * (LONGEST // 6)),
        ("é" * (LONGEST // 6 + 1), "é" * ((LONGEST - len(MARK)) // 6) + MARK),
        ("%" * LONGEST, "%" * ((LONGEST - len(MARK)) // 3) + MARK),
    ],
)
def test_what_counts_is_how_it_is_sent(message: str, expected: str) -> None:
    assert shortened(message) == expected


def test_details_that_fit_are_sent() -> None:
    details = [ReferenceNotFoundError(reference_name=b"x" * size) for size in (10, LONGEST_DETAILS, 20)]

    status = status_pb2.Status.FromString(with_details(5, "message", details))

    assert (status.code, status.message) == (5, "message")
    sent = [ReferenceNotFoundError() for _ in status.details]
    for packed, message in zip(status.details, sent, strict=True):
        packed.Unpack(message)
    assert sent == [details[0], details[2]]


async def test_a_client_of_the_c_core_gets_the_code_of_an_error_that_quotes_much(
    daemon: Daemon, repo: Repo
) -> None:
    [oid] = repo.history(1, "refs/heads/main")
    request = GetRawChangesRequest(repository=repo.message, from_revision="x" * 200_000, to_revision=oid)
    async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await RepositoryServiceStub(channel).GetRawChanges(request).read()

    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "xxx" in str(failure.value.details())
    assert str(failure.value.details()).endswith(MARK)
