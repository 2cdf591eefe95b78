"""FindDefaultBranchName and RefExists."""

from __future__ import annotations

from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.reading.errors import HeadDetached, ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.ref_pb2 import (
    FindDefaultBranchNameRequest,
    FindDefaultBranchNameResponse,
    RefExistsRequest,
    RefExistsResponse,
)
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.ref.service import service


@service.rpc()
async def find_default_branch_name(
    call: Call, request: FindDefaultBranchNameRequest
) -> FindDefaultBranchNameResponse:
    """The full name of the default branch, empty when there is no branch (ref-blob.md 5.1).

    With `head_only`, what HEAD stands for, whether it exists or not.
    """
    reader = call.repository.reader()
    if request.head_only:
        with during("head reference"):
            name = await _head_target(reader)
    else:
        with during("get default branch"):
            name = await default_branch(reader) or b""
    return FindDefaultBranchNameResponse(name=name)


async def _head_target(reader: Reader) -> bytes:
    head = await reader.head()
    if head.target is None:
        raise HeadDetached
    return head.target


def _is_below_refs(ref: bytes) -> None:
    if not ref.startswith(b"refs/"):
        raise InvalidArgument("invalid refname")


@service.rpc(FieldCheck("ref", _is_below_refs))
async def ref_exists(call: Call, request: RefExistsRequest) -> RefExistsResponse:
    """Whether a full name, well-formed or not, is that of a reference (ref-blob.md 5.7)."""
    reader = call.repository.reader()
    reference = await reader.reference(request.ref)
    if reference is not None and await reader.info(reference.oid.encode()) is None:
        raise ObjectNotFound(reference.oid)
    return RefExistsResponse(value=reference is not None)
