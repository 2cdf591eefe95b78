"""RawRangeDiff and RangeDiff: how two versions of a series of commits differ (diff-conflicts.md 8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

from grpc import StatusCode

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.wire.rangediff import Pair, RangeDiff
from gitaly_py.pb.diff_pb2 import (
    RangeDiffRequest,
    RangeDiffResponse,
    RawRangeDiffRequest,
)
from gitaly_py.rpc.checks import FieldCheck
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import InvalidArgument, during
from gitaly_py.services.app import Call
from gitaly_py.services.diff.messages import PATCH_BYTES
from gitaly_py.services.diff.service import service

Request = RawRangeDiffRequest | RangeDiffRequest

_REQUIRED = {
    "range_pair": (("range1", "Range1"), ("range2", "Range2")),
    "revision_range": (("rev1", "Rev1"), ("rev2", "Rev2")),
    "base_with_revisions": (("rev1", "Rev1"), ("rev2", "Rev2"), ("base", "Base")),
}

_COMPARISONS = {
    b"=": RangeDiffResponse.COMPARATOR_EQUAL_UNSPECIFIED,
    b">": RangeDiffResponse.COMPARATOR_GREATER_THAN,
    b"<": RangeDiffResponse.COMPARATOR_LESS_THAN,
    b"!": RangeDiffResponse.COMPARATOR_NOT_EQUAL,
}


def _check_ranges(request: Request) -> None:
    kind = request.WhichOneof("range_spec")
    if kind is None:
        return
    ranges = getattr(request, kind)
    for field, name in _REQUIRED[kind]:
        if not getattr(ranges, field):
            raise InvalidArgument(f"empty {name}")


@service.rpc(FieldCheck(None, _check_ranges))
async def raw_range_diff(call: Call, request: RawRangeDiffRequest) -> AsyncIterator[bytes]:
    """What git prints."""
    async with _compared(call, request) as process:
        while data := await process.read(STREAM_BYTES):
            yield data
        await process.check()


@service.rpc(FieldCheck(None, _check_ranges), codes={CommandFailed: StatusCode.FAILED_PRECONDITION})
async def range_diff(call: Call, request: RangeDiffRequest) -> AsyncIterator[RangeDiffResponse]:
    """The pairs of commits that correspond, each with the difference between their patches."""
    pair = _PairMessages()
    with during("RangeDiff"):
        async with aclosing(_parsed(call, request)) as parts:
            async for part in parts:
                for response in pair.begin(part) if isinstance(part, Pair) else pair.add(part):
                    yield response
    for response in pair.end():
        yield response


async def _parsed(call: Call, request: RangeDiffRequest) -> AsyncGenerator[Pair | bytes, None]:
    output = RangeDiff()
    async with _compared(call, request, "--no-color") as process:
        async for lines in process.batches(b"\n"):
            for part in output.feed(lines):
                yield part
        await process.check()


class _PairMessages:
    """The messages of one pair after the other: the first one of each says what is compared.

    The last one of each says so; hence a message that is full waits for what follows.
    """

    def __init__(self) -> None:
        self._next: RangeDiffResponse | None = None
        self._patch = bytearray()

    def begin(self, pair: Pair) -> Iterator[RangeDiffResponse]:
        """Another pair begins; what is left of the one before."""
        yield from self.end()
        self._next = RangeDiffResponse(
            from_commit_id=pair.old.decode("ascii"),
            to_commit_id=pair.new.decode("ascii"),
            comparison=_COMPARISONS[pair.comparison],
            commit_message_title=pair.title.decode("utf-8", "replace"),
        )

    def add(self, line: bytes) -> Iterator[RangeDiffResponse]:
        """A line of the pair's patch; the messages that it fills."""
        self._patch += line
        while self._next is not None and len(self._patch) > PATCH_BYTES:
            self._next.patch_data = bytes(self._patch[:PATCH_BYTES])
            del self._patch[:PATCH_BYTES]
            yield self._next
            self._next = RangeDiffResponse()

    def end(self) -> Iterator[RangeDiffResponse]:
        """The last message of the pair, if there is one."""
        if self._next is not None:
            self._next.patch_data = bytes(self._patch)
            self._next.end_of_patch = True
            yield self._next
        self._next = None
        self._patch.clear()


@asynccontextmanager
async def _compared(call: Call, request: Request, *flags: Flag) -> AsyncIterator[Process]:
    git = call.app.git
    digits = call.repository.reader().format.hex_length
    command = Command(name="range-diff", flags=[*flags, f"--abbrev={digits}"], args=_arguments(request))
    with during("cmd"):
        git.check(command)
    # git before 2.41 heeds no `--abbrev` here.
    config = [("core.abbrev", str(digits))]
    async with git.start(call.repository.git, command, config=config, stderr=Stderr.KEEP) as process:
        yield process


def _arguments(request: Request) -> list[str]:
    """The ranges as git takes them; none where the request names none, which git refuses."""
    if request.HasField("range_pair"):
        return [request.range_pair.range1, request.range_pair.range2]
    if request.HasField("revision_range"):
        return [f"{request.revision_range.rev1}...{request.revision_range.rev2}"]
    if request.HasField("base_with_revisions"):
        named = request.base_with_revisions
        return [named.base, named.rev1, named.rev2]
    return []
