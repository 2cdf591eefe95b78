"""UpdateReferences and DeleteRefs: one transaction a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import NamedTuple, TypeVar

from grpc import StatusCode

from gitaly_py.git.commands import DISABLED
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.updating.errors import ReferenceLocked, StateMismatch, TargetMissing, UpdateError
from gitaly_py.git.updating.transaction import (
    ANY,
    MUST_NOT_EXIST,
    Expected,
    MustBe,
    Transaction,
    transaction,
)
from gitaly_py.git.wire.errors import InvalidReferenceName, InvalidRevision
from gitaly_py.git.wire.objects import ObjectFormat
from gitaly_py.git.wire.oids import parse_oid
from gitaly_py.git.wire.refnames import validate_reference_name
from gitaly_py.git.wire.revisions import validate_revision
from gitaly_py.pb.errors_pb2 import InvalidRefFormatError, ReferencesLockedError, ReferenceStateMismatchError
from gitaly_py.pb.ref_pb2 import (
    DeleteRefsError,
    DeleteRefsRequest,
    DeleteRefsResponse,
    UpdateReferencesError,
    UpdateReferencesRequest,
    UpdateReferencesResponse,
)
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.status import Aborted, Internal, InvalidArgument, NotFound, RpcError, during
from gitaly_py.services.app import Call
from gitaly_py.services.ref.service import service

ItemT = TypeVar("ItemT")

_PORTION = 256
"""Names that are handled before other calls get the event loop: less than 2 ms."""


@service.rpc(unresolved=StatusCode.INTERNAL)
async def update_references(
    call: Call, requests: AsyncIterator[UpdateReferencesRequest]
) -> UpdateReferencesResponse:
    """Applies all updates of all messages, or none (ref-blob.md 5.9).

    They are checked and handed to git as they come in, a message at a time.
    """
    try:
        async with aclosing(_checked(requests, call.repository.reader().format)) as messages:
            # What is wrong with the first message is said before git is started.
            first = await anext(messages)
            async with transaction(call.app.git, call.repository.git, hooks=DISABLED) as opened:
                await _add(opened, first)
                async for updates in messages:
                    await _add(opened, updates)
                await opened.commit()
    except UpdateError as error:
        raise _refused_update(error) from error
    return UpdateReferencesResponse()


class _Update(NamedTuple):
    """An update that may be given to git. new: None deletes the reference."""

    refname: bytes
    new: str | None
    previous: Expected


async def _checked(
    requests: AsyncIterator[UpdateReferencesRequest], object_format: ObjectFormat
) -> AsyncGenerator[list[_Update], None]:
    """The updates of each message."""
    repository = None
    async for request in requests:
        repository = repository or request.repository
        if request.HasField("repository") and request.repository != repository:
            raise InvalidArgument("repository set in subsequent request")
        if not request.updates:
            raise InvalidArgument("no updates specified")
        updates: list[_Update] = []
        for portion in _in_portions(request.updates):
            updates += [_checked_update(update, object_format) for update in portion]
            await asyncio.sleep(0)
        yield updates


def _checked_update(update: UpdateReferencesRequest.Update, object_format: ObjectFormat) -> _Update:
    try:
        validate_reference_name(update.reference)
    except InvalidReferenceName as error:
        detail = UpdateReferencesError(invalid_format=InvalidRefFormatError(refs=[update.reference]))
        raise InvalidArgument(f"validating reference: {error}", detail) from error
    previous: Expected = ANY
    if update.old_object_id:
        with during("validating old object ID", undecided=StatusCode.INVALID_ARGUMENT):
            old = parse_oid(update.old_object_id, object_format)
        previous = MUST_NOT_EXIST if old == object_format.zero_oid else MustBe(old)
    with during("validating new object ID", undecided=StatusCode.INVALID_ARGUMENT):
        new = parse_oid(update.new_object_id, object_format)
    return _Update(update.reference, None if new == object_format.zero_oid else new, previous)


async def _add(opened: Transaction, updates: Iterable[_Update]) -> None:
    for portion in _in_portions(updates):
        for update in portion:
            if update.new is None:
                await opened.delete(update.refname, update.previous)
            else:
                await opened.update(update.refname, update.new, update.previous)
        await asyncio.sleep(0)


def _refused_update(error: UpdateError) -> RpcError:
    match error:
        case StateMismatch():
            mismatch = ReferenceStateMismatchError(
                reference_name=error.refname,
                expected_object_id=error.expected.encode(),
                actual_object_id=error.actual.encode(),
            )
            return Aborted(str(error), UpdateReferencesError(reference_state_mismatch=mismatch))
        case ReferenceLocked():
            locked = ReferencesLockedError(refs=[error.refname])
            return Aborted(str(error), UpdateReferencesError(references_locked=locked))
        case TargetMissing():
            return NotFound(str(error))
        case _:
            return Internal(f"committing update: {error}")


def _says_what_to_delete(request: DeleteRefsRequest) -> None:
    if request.except_with_prefix and request.refs:
        raise InvalidArgument("ExceptWithPrefix and Refs are mutually exclusive")
    if not request.except_with_prefix and not request.refs:
        raise InvalidArgument("empty ExceptWithPrefix and Refs")
    if b"" in request.except_with_prefix:
        raise InvalidArgument("empty prefix for exclusion")
    if b"" in request.refs:
        raise InvalidArgument("empty ref")


@service.rpc(FieldCheck(None, _says_what_to_delete))
async def delete_refs(call: Call, request: DeleteRefsRequest) -> DeleteRefsResponse:
    """Deletes the named references, or all but those with one of the prefixes (ref-blob.md 5.10).

    Symbolic references are deleted themselves. One that does not exist is no error.
    """
    await _check_names(request.refs)
    try:
        async with transaction(call.app.git, call.repository.git, hooks=DISABLED, no_deref=True) as opened:
            async with aclosing(_names_to_delete(call.repository.reader(), request)) as portions:
                async for names in portions:
                    for name in names:
                        await opened.delete(name)
            await opened.commit()
    except UpdateError as error:
        raise _refused_deletion(error) from error
    return DeleteRefsResponse()


async def _check_names(names: Iterable[bytes]) -> None:
    """Raises InvalidArgument that lists every name which may not be deleted."""
    invalid: list[bytes] = []
    for portion in _in_portions(names):
        invalid += [name for name in portion if not _may_be_deleted(name)]
        await asyncio.sleep(0)
    if invalid:
        detail = DeleteRefsError(invalid_format=InvalidRefFormatError(refs=invalid))
        raise InvalidArgument("invalid references", detail)


def _may_be_deleted(name: bytes) -> bool:
    """Whether git may see `name`: it would delete HEAD, too, without which a folder is no repository."""
    try:
        validate_revision(name)
    except InvalidRevision:
        return False
    return name != b"HEAD"


async def _names_to_delete(reader: Reader, request: DeleteRefsRequest) -> AsyncGenerator[list[bytes]]:
    for portion in _in_portions(request.refs):
        yield portion
        await asyncio.sleep(0)
    if request.refs:
        return
    kept = tuple(request.except_with_prefix)
    async with aclosing(reader.references()) as batches:
        async for batch in batches:
            for portion in _in_portions(batch.names):
                yield [name for name in portion if not name.startswith(kept)]
                await asyncio.sleep(0)


def _refused_deletion(error: UpdateError) -> RpcError:
    if isinstance(error, ReferenceLocked):
        locked = ReferencesLockedError(refs=[error.refname])
        return Aborted(str(error), DeleteRefsError(references_locked=locked))
    return Internal(f"unable to prepare: {error}")


def _in_portions(items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    remaining = iter(items)
    while portion := list(islice(remaining, _PORTION)):
        yield portion
