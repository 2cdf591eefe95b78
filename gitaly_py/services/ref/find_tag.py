"""FindTag."""

from __future__ import annotations

from contextlib import aclosing
from functools import lru_cache

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.reading.interface import GitObject, Reader, Reference
from gitaly_py.git.wire.mailmap import Mailmap
from gitaly_py.git.wire.refnames import TAGS
from gitaly_py.git.wire.tags import target_of
from gitaly_py.git.wire.wildmatch import compiled, is_glob
from gitaly_py.pb.errors_pb2 import ReferenceNotFoundError
from gitaly_py.pb.ref_pb2 import FindTagError, FindTagRequest, FindTagResponse
from gitaly_py.pb.shared_pb2 import Tag
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import NotFound
from gitaly_py.services.app import Call
from gitaly_py.services.messages import annotated_tag, git_commit, mailmap_of
from gitaly_py.services.ref.requests import check_argument
from gitaly_py.services.ref.service import service

_KEPT_BYTES = 4096
"""Bytes of the largest objects whose response is kept."""


@service.rpc(some("tag_name", otherwise="tag name is empty"))
async def find_tag(call: Call, request: FindTagRequest) -> FindTagResponse:
    """The tag of that name, or the first that it fits as a pattern of `git tag -l` (ref-blob.md 5.5)."""
    wanted = request.tag_name
    check_argument(wanted)
    reader = call.repository.reader(steady=True)
    reference = await reader.reference(TAGS + wanted)
    if reference is None and is_glob(wanted):
        reference = await _first_match(reader, wanted)
    info = None if reference is None else await reader.info(reference.oid.encode())
    if reference is None or info is None:
        missing = ReferenceNotFoundError(reference_name=TAGS + wanted)
        raise NotFound("tag does not exist", FindTagError(tag_not_found=missing))
    name = reference.name.removeprefix(TAGS)
    if info.type not in ("commit", "tag"):
        return FindTagResponse(tag=Tag(name=name, id=info.oid))
    return await _described(call, reader, name, await _read(reader, info.oid))


async def _described(call: Call, reader: Reader, name: bytes, target: GitObject) -> FindTagResponse:
    """The response for a reference to a tag object or a commit."""
    final = target
    kind = target.type
    while kind == "tag":
        oid, kind = target_of(final.data)
        if kind in ("commit", "tag"):
            final = await _read(reader, oid)
    commit = final if final.type == "commit" else None
    mailmap = await mailmap_of(call, reader)
    if len(target.data) + len(final.data) <= _KEPT_BYTES:
        return _kept_response(name, target, commit, mailmap)
    return _response(name, target, commit, mailmap)


async def _read(reader: Reader, oid: str) -> GitObject:
    found = await reader.read(oid.encode())
    if found is None:
        raise ObjectNotFound(oid)
    return found


async def _first_match(reader: Reader, pattern: bytes) -> Reference | None:
    matches = compiled(pattern, path=False).matches
    async with aclosing(reader.references(TAGS)) as batches:
        async for batch in batches:
            for name, oid in batch:
                if matches(name.removeprefix(TAGS)):
                    return Reference(name, oid, None)
    return None


def _response(name: bytes, target: GitObject, commit: GitObject | None, mailmap: Mailmap) -> FindTagResponse:
    message = None if commit is None else git_commit(commit, mailmap)
    if target.type == "tag":
        return FindTagResponse(tag=annotated_tag(name, target, message, mailmap))
    return FindTagResponse(tag=Tag(name=name, id=target.oid, target_commit=message))


_kept_response = lru_cache(maxsize=1024)(_response)
"""The same for tags that are asked for again and again; not to be changed."""
