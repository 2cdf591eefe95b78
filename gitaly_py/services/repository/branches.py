"""HasLocalBranches: whether there is anything to show (repository.md)."""

from __future__ import annotations

from gitaly_py.git.reading.branches import has_local_branches as any_branch
from gitaly_py.pb.repository_pb2 import HasLocalBranchesRequest, HasLocalBranchesResponse
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service


@service.rpc()
async def has_local_branches(call: Call, request: HasLocalBranchesRequest) -> HasLocalBranchesResponse:
    """Whether a reference below `refs/heads/` exists."""
    return HasLocalBranchesResponse(value=await any_branch(call.repository.reader()))
