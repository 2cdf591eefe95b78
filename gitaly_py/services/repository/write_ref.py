"""WriteRef: one reference, or the default branch (repository.md)."""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.git.commands import DISABLED
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.updating.errors import ReferenceLocked
from gitaly_py.git.updating.transaction import (
    ANY,
    MUST_NOT_EXIST,
    Expected,
    MustBe,
    set_default_branch,
    transaction,
)
from gitaly_py.pb.errors_pb2 import ReferenceNotFoundError
from gitaly_py.pb.repository_pb2 import WriteRefRequest, WriteRefResponse
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import InvalidArgument, NotFound, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.repository.service import service


def _full_name(name: bytes) -> None:
    if name != b"HEAD" and not name.startswith(b"refs/"):
        raise InvalidArgument("ref has to be a full reference")


@service.rpc(
    revision("ref", prefix="invalid ref: "),
    revision("revision", prefix="invalid revision: "),
    revision("old_revision", prefix="invalid OldRevision: ", allow_empty=True),
    FieldCheck("ref", _full_name),
    codes={ReferenceLocked: StatusCode.ABORTED},
)
async def write_ref(call: Call, request: WriteRefRequest) -> WriteRefResponse:
    """Creates, moves or deletes a reference; `HEAD` means the default branch, which need not exist."""
    if request.ref == b"HEAD":
        with during("setting default branch"):
            await set_default_branch(call.app.git, call.repository.git, request.revision, hooks=DISABLED)
    else:
        await _write(call, request)
    return WriteRefResponse()


async def _write(call: Call, request: WriteRefRequest) -> None:
    reader = call.repository.reader()
    oid = await _object(reader, request.revision, "new")
    previous = await _previous(reader, request.old_revision)
    with during("error when running update-ref command"):
        async with transaction(call.app.git, call.repository.git, hooks=DISABLED) as updates:
            if oid is None:
                await updates.delete(request.ref, previous)
            else:
                await updates.update(request.ref, oid, previous)
            await updates.commit()


async def _previous(reader: Reader, revision: bytes) -> Expected:
    if not revision:
        return ANY
    oid = await _object(reader, revision, "old")
    return MUST_NOT_EXIST if oid is None else MustBe(oid)


async def _object(reader: Reader, revision: bytes, which: str) -> str | None:
    """The id of an object that exists, None for zeros."""
    if revision == reader.format.zero_oid.encode():
        return None
    oid = await reader.resolve(revision + b"^{object}")
    if oid is None:
        text = f"resolving {which} revision: reference not found"
        raise NotFound(text, ReferenceNotFoundError(reference_name=revision))
    return oid
