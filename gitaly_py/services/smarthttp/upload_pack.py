"""PostUploadPackWithSidechannel and the older PostUploadPack: one stateless round of a fetch."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from grpc import StatusCode

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Process
from gitaly_py.git.wire.negotiation import Negotiation
from gitaly_py.pb.smarthttp_pb2 import (
    PostUploadPackRequest,
    PostUploadPackWithSidechannelRequest,
    PostUploadPackWithSidechannelResponse,
)
from gitaly_py.rpc.checks import early, none
from gitaly_py.rpc.status import Internal, Unavailable, during
from gitaly_py.services.app import Call
from gitaly_py.services.negotiation import Watched, message, report
from gitaly_py.services.smarthttp.service import service
from gitaly_py.services.transfer import (
    InvalidConfigOption,
    config_options,
    fed,
    protocol_environment,
)
from gitaly_py.telemetry import fields
from gitaly_py.transport.errors import OpenFailed, SidechannelError, TransportError
from gitaly_py.transport.sidechannel import METADATA_KEY, Sidechannel, open_sidechannel

_READ_BYTES = 128 * 1024


@service.rpc(codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT})
async def post_upload_pack_with_sidechannel(
    call: Call, request: PostUploadPackWithSidechannelRequest
) -> PostUploadPackWithSidechannelResponse:
    """Answers one request of a fetch; request and answer travel on the side channel."""
    config = config_options(request.git_config_options)
    async with await _sidechannel(call) as channel:
        stdin = _Copied(_input(channel))
        with during("running upload-pack", undecided=StatusCode.FAILED_PRECONDITION):
            async with (
                _upload_pack(call, config, request.git_protocol) as process,
                fed(process, stdin.pieces()),
            ):
                with during("copying stdout from upload-pack"):
                    sent = await channel.send_pipe(process.stdout_fd)
                channel.discard_input()
                await _ended(process, stdin)
    stdin.log(sent)
    return PostUploadPackWithSidechannelResponse(packfile_negotiation_statistics=message(stdin.negotiation))


@service.rpc(
    early(none("data", otherwise="non-empty Data")), codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT}
)
async def post_upload_pack(
    call: Call, requests: AsyncIterator[PostUploadPackRequest]
) -> AsyncIterator[bytes]:
    """The same for clients without side channels, in messages."""
    first = await anext(requests)
    config = config_options(first.git_config_options)
    stdin = _Copied(_data_of(requests))
    sent = 0
    with during("running upload-pack", undecided=StatusCode.FAILED_PRECONDITION):
        async with _upload_pack(call, config, first.git_protocol) as process, fed(process, stdin.pieces()):
            while data := await process.read(_READ_BYTES):
                sent += len(data)
                yield data
            await _ended(process, stdin)
    stdin.log(sent)


async def _sidechannel(call: Call) -> Sidechannel:
    """Opens the side channel. Unavailable tells the client that a second try is safe (transport.md 1.9)."""
    ids = call.metadata.all(METADATA_KEY)
    try:
        return await open_sidechannel(call.app.connections, call.peer, {METADATA_KEY: ids} if ids else {})
    except TransportError as error:
        text = f"open sidechannel: {error}"
        if isinstance(error, OpenFailed) and error.retryable:
            raise Unavailable(text) from error
        raise Internal(text) from error


@asynccontextmanager
async def _upload_pack(call: Call, config: list[tuple[str, str]], protocol: str) -> AsyncIterator[Process]:
    command = Command(name="upload-pack", flags=["--stateless-rpc"], args=[call.repository.path])
    async with AsyncExitStack() as stack:
        with during("spawning upload-pack"):
            start = call.app.git.start(
                call.repository.git,
                command,
                stdin=PIPE,
                config=[*config, ("uploadpack.advertiseBundleURIs", "false")],
                env=protocol_environment(call, protocol),
            )
            process = await stack.enter_async_context(start)
        yield process


async def _ended(process: Process, stdin: _Copied) -> None:
    """Waits for upload-pack and judges its status.

    The first round of a shallow clone asks to deepen and hangs up, at which git fails by design.
    """
    await process.exited()
    with during("waiting for upload-pack"):
        if not stdin.negotiation.deepen:
            await process.check()


async def _input(channel: Sidechannel) -> AsyncGenerator[bytes, None]:
    """The client's request. One that breaks off just ends: git's exit status then tells (transport.md 3)."""
    try:
        while data := await channel.read():
            yield data
    except SidechannelError:
        return


async def _data_of(requests: AsyncIterator[PostUploadPackRequest]) -> AsyncGenerator[bytes, None]:
    async for request in requests:
        if request.data:
            yield request.data


class _Copied:
    """The request on its way to git, counted as it passes."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self._source = source
        self._sha = hashlib.sha1(usedforsecurity=False)
        self._watched = Watched()

    @property
    def negotiation(self) -> Negotiation:
        """What the request asks for; all zero when it can't be parsed."""
        return Negotiation() if self._watched.malformed else self._watched.counted

    async def pieces(self) -> AsyncIterator[bytes]:
        async with aclosing(self._source) as source:
            async for data in source:
                self._sha.update(data)
                self._watched.receive(data)
                yield data
        self._watched.end()

    def log(self, sent: int) -> None:
        fields.put("request_sha", self._sha.hexdigest())
        fields.put("response_bytes", sent)
        report("smarthttp", self.negotiation)
