"""Single commits (commit.md 3.1)."""

from __future__ import annotations

from gitaly_py.pb.commit_pb2 import FindCommitRequest, FindCommitResponse
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.trailers import trailers_of
from gitaly_py.services.messages import known_commit, mailmap_of


@service.rpc(revision("revision"))
async def find_commit(call: Call, request: FindCommitRequest) -> FindCommitResponse:
    """The commit that `revision` names, or an empty response when it names none."""
    reader = call.repository.reader()
    found = await reader.read(request.revision + b"^{commit}")
    if found is None:
        return FindCommitResponse()
    response = FindCommitResponse(commit=known_commit(found, await mailmap_of(reader)))
    if request.trailers:
        response.commit.trailers.extend(await trailers_of(call, found))
    return response
