"""RefTransaction/VoteTransaction and StopTransaction (ref-blob.md 7)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.transaction_pb2 import StopTransactionRequest, VoteTransactionRequest
from gitaly_py.pb.transaction_pb2_grpc import RefTransactionStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import refused

LARGEST = 2**64 - 1


async def vote(daemon: Daemon, repo: Repo, number: int, value: bytes) -> None:
    request = VoteTransactionRequest(
        repository=repo.message,
        transaction_id=number,
        node="default",
        reference_updates_hash=value,
        phase=VoteTransactionRequest.PREPARED_PHASE,
    )
    await daemon.stub(RefTransactionStub).VoteTransaction(request)


@pytest.mark.parametrize("length", [0, 19, 21, 32])
async def test_a_vote_has_20_bytes(daemon: Daemon, any_format_repo: Repo, length: int) -> None:
    text = f"invalid reference update hash: invalid vote length {length}"
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await vote(daemon, any_format_repo, 1, bytes(length))


@pytest.mark.parametrize("number", [0, 1, LARGEST])
async def test_no_transaction_is_known(daemon: Daemon, any_format_repo: Repo, number: int) -> None:
    async with refused(StatusCode.NOT_FOUND, f"transaction not found: {number}"):
        await vote(daemon, any_format_repo, number, bytes(20))
    request = StopTransactionRequest(repository=any_format_repo.message, transaction_id=number)
    async with refused(StatusCode.NOT_FOUND, f"transaction not found: {number}"):
        await daemon.stub(RefTransactionStub).StopTransaction(request)
