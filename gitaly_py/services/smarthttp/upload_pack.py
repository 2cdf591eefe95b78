"""PostUploadPackWithSidechannel and the older PostUploadPack: one stateless round of a fetch."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.git.process import Process
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
from gitaly_py.services.smarthttp.service import HTTP, service
from gitaly_py.services.starting import upload_pack
from gitaly_py.services.transfer import (
    InvalidConfigOption,
    config_options,
    fed,
    sent_in,
    sent_on,
    sidechannel,
)
from gitaly_py.telemetry import fields
from gitaly_py.transport.errors import OpenFailed, TransportError
from gitaly_py.transport.sidechannel import Sidechannel

_READ_BYTES = 128 * 1024


@service.rpc(codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT})
async def post_upload_pack_with_sidechannel(
    call: Call, request: PostUploadPackWithSidechannelRequest
) -> PostUploadPackWithSidechannelResponse:
    """Answers one request of a fetch; request and answer travel on the side channel."""
    config = config_options(request.git_config_options)
    body = _Body()
    async with await _sidechannel(call) as channel:
        with during("running upload-pack", undecided=StatusCode.FAILED_PRECONDITION):
            async with (
                upload_pack(call, HTTP, config, request.git_protocol) as process,
                fed(process, sent_on(channel), body.receive),
            ):
                with during("copying stdout from upload-pack"):
                    sent = await channel.send_pipe(process.stdout_fd)
                channel.discard_input()
                await _ended(process, body)
    body.log(sent)
    return PostUploadPackWithSidechannelResponse(packfile_negotiation_statistics=message(body.negotiation))


@service.rpc(
    early(none("data", otherwise="non-empty Data")), codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT}
)
async def post_upload_pack(
    call: Call, requests: AsyncIterator[PostUploadPackRequest]
) -> AsyncIterator[bytes]:
    """The same for clients without side channels, in messages."""
    first = await anext(requests)
    config = config_options(first.git_config_options)
    body = _Body()
    sent = 0
    with during("running upload-pack", undecided=StatusCode.FAILED_PRECONDITION):
        async with (
            upload_pack(call, HTTP, config, first.git_protocol) as process,
            fed(process, sent_in(requests, "data"), body.receive),
        ):
            while data := await process.read(_READ_BYTES):
                sent += len(data)
                yield data
            await _ended(process, body)
    body.log(sent)


async def _sidechannel(call: Call) -> Sidechannel:
    """Opens the side channel. Unavailable tells the client that a second try is safe (transport.md 1.9)."""
    try:
        return await sidechannel(call)
    except TransportError as error:
        text = f"open sidechannel: {error}"
        if isinstance(error, OpenFailed) and error.retryable:
            raise Unavailable(text) from error
        raise Internal(text) from error


async def _ended(process: Process, body: _Body) -> None:
    """Waits for upload-pack and judges its status.

    The first round of a shallow clone asks to deepen and hangs up, at which git fails by design.
    """
    await process.exited()
    with during("waiting for upload-pack"):
        if not body.negotiation.deepen:
            await process.check()


class _Body:
    """The request's body, counted as it passes."""

    def __init__(self) -> None:
        self._sha = hashlib.sha1(usedforsecurity=False)
        self._watched = Watched()

    def receive(self, data: bytes) -> None:
        """The next bytes."""
        self._sha.update(data)
        self._watched.receive(data)

    @property
    def negotiation(self) -> Negotiation:
        """What the request, now that git has ended, asks for; all zero when it can't be parsed."""
        self._watched.end()
        return Negotiation() if self._watched.malformed else self._watched.counted

    def log(self, sent: int) -> None:
        """Reports the request and how many bytes answered it."""
        fields.put("request_sha", self._sha.hexdigest())
        fields.put("response_bytes", sent)
        report("smarthttp", self.negotiation)
