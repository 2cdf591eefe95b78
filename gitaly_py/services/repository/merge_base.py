"""FindMergeBase: where lines of development parted (repository.md)."""

from __future__ import annotations

from gitaly_py.git.commands import Command
from gitaly_py.pb.repository_pb2 import FindMergeBaseRequest, FindMergeBaseResponse
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service


def _enough(request: FindMergeBaseRequest) -> None:
    if len(request.revisions) < 2:
        raise InvalidArgument("at least 2 revisions are required")


@service.rpc(FieldCheck(None, _enough))
async def find_merge_base(call: Call, request: FindMergeBaseRequest) -> FindMergeBaseResponse:
    """The best common ancestor; empty when there is none or git does not know a revision."""
    command = Command(name="merge-base", args=request.revisions)
    with during("cmd"):
        found = await call.app.git.run(call.repository.git, command)
    if found.status != 0:
        return FindMergeBaseResponse()
    return FindMergeBaseResponse(base=found.stdout.decode().removesuffix("\n"))
