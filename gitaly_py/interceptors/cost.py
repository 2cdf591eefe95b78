"""Tells the client what its call cost, in the trailer `x-gitaly-cost` (daemon.md 4.3)."""

from __future__ import annotations

from typing import Any

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.steps import Step

TRAILER = "x-gitaly-cost"

_MIB = 1024 * 1024
_BY_OPERATION = {"accessor": 1, "mutator": 5, "maintenance": 3}
_BY_METHOD = {
    "PostUploadPackWithSidechannel": 10,
    "PostReceivePack": 10,
    "SSHUploadPack": 10,
    "SSHUploadPackWithSidechannel": 10,
    "SSHReceivePack": 10,
    "CommitDiff": 8,
    "RawDiff": 8,
    "RawPatch": 8,
    "GetBlobs": 6,
    "ListBlobs": 6,
    "ListCommits": 6,
    "FindDefaultBranchName": 1,
    "RepositoryExists": 1,
    "ServerInfo": 0,
}


class Cost(Step):
    """Adds the trailer, whether the call succeeds or fails.

    The response of a unary call does not count: it is not sent yet.
    """

    def leave(self, call: Call[Any, Any]) -> None:
        """See Step."""
        responses = 0 if call.method.kind == "unary" else call.response_bytes
        static = _BY_METHOD.get(call.method.name)
        if static is None:
            static = _BY_OPERATION.get(call.method.operation, 1)
        call.trailers.append((TRAILER, str(static - (-(call.request_bytes + responses) // _MIB))))
