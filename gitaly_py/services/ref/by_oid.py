"""FindRefsByOID."""

from __future__ import annotations

from contextlib import aclosing

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.errors import describe_status
from gitaly_py.git.process import Stderr
from gitaly_py.git.reading.matching import Patterns
from gitaly_py.git.wire.refnames import HEADS, TAGS
from gitaly_py.pb.ref_pb2 import FindRefsByOIDRequest, FindRefsByOIDResponse
from gitaly_py.rpc.checks import some
from gitaly_py.rpc.status import Internal, InvalidArgument
from gitaly_py.services.app import Call
from gitaly_py.services.ref.pointing import references_pointing_at
from gitaly_py.services.ref.requests import check_arguments
from gitaly_py.services.ref.service import service

_DEFAULT_PATTERNS = [TAGS, HEADS]


@service.rpc(some("oid", otherwise="empty Oid"))
async def find_refs_by_oid(call: Call, request: FindRefsByOIDRequest) -> FindRefsByOIDResponse:
    """Full names of the references that lead to an object (ref-blob.md 5.15).

    Names that are no UTF-8 are left out, since the response can't hold them.
    """
    patterns = [pattern.encode() for pattern in request.ref_patterns] or _DEFAULT_PATTERNS
    check_arguments(patterns)
    reader = call.repository.reader()
    oid = await reader.resolve(request.oid.encode())
    if oid is None:
        raise InvalidArgument("for-each-ref pipeline command: exit status 129")
    names: list[bytes] = []
    async with aclosing(references_pointing_at(reader, [oid.encode()], Patterns(patterns))) as batches:
        async for batch in batches:
            names += batch.names
    refs = [
        name.decode() for name in await _sorted(call, names, patterns, request.sort_field) if _is_text(name)
    ]
    return FindRefsByOIDResponse(refs=refs[: request.limit or None])


async def _sorted(call: Call, names: list[bytes], patterns: list[bytes], sort_field: str) -> list[bytes]:
    """The names, given in byte order, by any sort key of for-each-ref. Raises Internal for an unknown one."""
    if sort_field in ("", "refname"):
        return names
    if sort_field == "-refname":
        return names[::-1]
    # git is asked for all that match the patterns: the names themselves may be too many for a command line.
    flags: list[Flag] = ["--format=%(refname)", ("--sort", sort_field)]
    command = Command(name="for-each-ref", flags=flags, args=patterns)
    wanted = frozenset(names)
    found: list[bytes] = []
    async with call.app.git.start(call.repository.git, command, stderr=Stderr.KEEP) as process:
        async with aclosing(process.batches(b"\n")) as batches:
            async for lines in batches:
                found += filter(wanted.__contains__, lines)
        status = await process.wait()
    if status != 0:
        raise Internal(f"for-each-ref pipeline command: {describe_status(status)}")
    return found


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
