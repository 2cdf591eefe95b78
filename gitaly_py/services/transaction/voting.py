"""VoteTransaction and StopTransaction, as one node answers them: it coordinates no transaction."""

from __future__ import annotations

from gitaly_py.pb.transaction_pb2 import (
    StopTransactionRequest,
    StopTransactionResponse,
    VoteTransactionRequest,
    VoteTransactionResponse,
)
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument, NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.transaction.service import service

_VOTE_LENGTH = 20
"""Bytes of a vote, which is a SHA-1 whatever the object format."""


def _is_a_vote(value: bytes) -> None:
    if len(value) != _VOTE_LENGTH:
        raise InvalidArgument(f"invalid reference update hash: invalid vote length {len(value)}")


@service.rpc(FieldCheck("reference_updates_hash", _is_a_vote))
async def vote_transaction(call: Call, request: VoteTransactionRequest) -> VoteTransactionResponse:
    """Refuses the vote: no transaction is ever begun here."""
    raise NotFound(f"transaction not found: {request.transaction_id}")


@service.rpc()
async def stop_transaction(call: Call, request: StopTransactionRequest) -> StopTransactionResponse:
    """Refuses to stop what was never begun here."""
    raise NotFound(f"transaction not found: {request.transaction_id}")
