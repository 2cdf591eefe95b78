"""Single commits (commit.md 3.1)."""

from __future__ import annotations

from functools import lru_cache

from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.pb.commit_pb2 import FindCommitRequest, FindCommitResponse
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service
from gitaly_py.services.commit.trailers import trailers_of
from gitaly_py.services.messages import git_commit, mailmap_of

_KEPT_BYTES = 4096
"""Bytes of the largest commit whose response is kept."""


@service.rpc(revision("revision"))
async def find_commit(call: Call, request: FindCommitRequest) -> FindCommitResponse:
    """The commit that `revision` names, or an empty response when it names none."""
    reader = call.repository.reader(steady=True)
    found = await reader.read(request.revision + b"^{commit}")
    if found is None:
        return FindCommitResponse()
    mailmap = await mailmap_of(call, reader)
    if not request.trailers and len(found.data) <= _KEPT_BYTES:
        return _kept_response(found, mailmap)
    response = _response(found, mailmap)
    if request.trailers:
        response.commit.trailers.extend(await trailers_of(call, found))
    return response


def _response(commit: GitObject, mailmap: Mailmap) -> FindCommitResponse:
    return FindCommitResponse(commit=git_commit(commit, mailmap))


_kept_response = lru_cache(maxsize=1024)(_response)
"""The same for commits that are asked for again and again; not to be changed."""
