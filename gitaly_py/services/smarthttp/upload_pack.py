"""PostUploadPackWithSidechannel and the older PostUploadPack: one stateless round of a fetch."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from grpc import StatusCode

from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.wire.fetch_request import FetchRequest, RequestReader
from gitaly_py.git.wire.negotiation import Negotiation
from gitaly_py.pb.smarthttp_pb2 import (
    PostUploadPackRequest,
    PostUploadPackResponse,
    PostUploadPackWithSidechannelRequest,
    PostUploadPackWithSidechannelResponse,
)
from gitaly_py.rpc.checks import early, none
from gitaly_py.rpc.status import Internal, Unavailable, during
from gitaly_py.services.app import Call
from gitaly_py.services.fetching.fetch import STATELESS, Ending, Fetch, Input
from gitaly_py.services.fetching.serving import serve, streamed
from gitaly_py.services.negotiation import Watched, message, report
from gitaly_py.services.output.messages import Messages
from gitaly_py.services.output.plain import Plain
from gitaly_py.services.smarthttp.service import HTTP, service
from gitaly_py.services.transfer import (
    InvalidConfigOption,
    config_options,
    protocol_environment,
    sent_in,
    sent_on,
    sidechannel,
)
from gitaly_py.telemetry import fields
from gitaly_py.transport.errors import OpenFailed, TransportError
from gitaly_py.transport.sidechannel import Sidechannel

_MAX_REQUEST: Final = 16 * 1024 * 1024
"""Bytes of a request that is read before it is answered; git reads longer ones as they come."""


@service.rpc(codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT})
async def post_upload_pack_with_sidechannel(
    call: Call, request: PostUploadPackWithSidechannelRequest
) -> PostUploadPackWithSidechannelResponse:
    """Answers one request of a fetch; request and answer travel on the side channel."""
    config = config_options(request.git_config_options)
    async with await _sidechannel(call) as channel:
        environment = protocol_environment(call, request.git_protocol)
        fetch = Fetch(call, HTTP, config, environment, Plain(channel))
        counted = await _round(fetch, sent_on(channel))
    return PostUploadPackWithSidechannelResponse(packfile_negotiation_statistics=message(counted))


@service.rpc(
    early(none("data", otherwise="non-empty Data")), codes={InvalidConfigOption: StatusCode.INVALID_ARGUMENT}
)
async def post_upload_pack(
    call: Call, requests: AsyncIterator[PostUploadPackRequest]
) -> AsyncIterator[PostUploadPackResponse]:
    """The same for clients without side channels, in messages."""
    first = await anext(requests)
    config = config_options(first.git_config_options)
    output = Messages(PostUploadPackResponse, stdout="data")
    fetch = Fetch(call, HTTP, config, protocol_environment(call, first.git_protocol), output)

    async def work() -> None:
        await _round(fetch, sent_in(requests, "data"))

    async with aclosing(output.sent_by(work)) as messages:
        async for each in messages:
            yield each


async def _sidechannel(call: Call) -> Sidechannel:
    """Opens the side channel. Unavailable tells the client that a second try is safe (transport.md 1.9)."""
    try:
        return await sidechannel(call)
    except TransportError as error:
        text = f"open sidechannel: {error}"
        if isinstance(error, OpenFailed) and error.retryable:
            raise Unavailable(text) from error
        raise Internal(text) from error


async def _round(fetch: Fetch, source: Input) -> Negotiation:
    """Answers a request; what it asks for."""
    body = _Body()
    with during("running upload-pack", undecided=StatusCode.FAILED_PRECONDITION):
        async with aclosing(source):
            request = await body.collected(source, fetch.version)
            if request is None:
                rest = body.rest(source)
                ending = await streamed(fetch, rest, flags=[STATELESS], side_band=lambda: False)
            else:
                fetch.output.end_input()
                ending = await serve(fetch, request)
        _judge(ending, body.negotiation)
    body.log(fetch.output.sent)
    return body.negotiation


def _judge(ending: Ending, negotiation: Negotiation) -> None:
    """Raises CommandFailed unless upload-pack did well.

    The first round of a shallow clone asks to deepen and hangs up, at which git fails by design.
    """
    if ending.status and not negotiation.deepen:
        with during("waiting for upload-pack"):
            raise CommandFailed("upload-pack", ending.status, ending.stderr)


class _Body:
    """The request's body, counted as it passes."""

    def __init__(self) -> None:
        self._sha = hashlib.sha1(usedforsecurity=False)
        self._watched = Watched()
        self._request: FetchRequest | None = None
        self._begun = b""

    async def collected(self, source: Input, version: int) -> FetchRequest | None:
        """The whole request; None for what only git can judge, see `rest`."""
        reader = RequestReader(version)
        size = 0
        request = None
        async for data in source:
            self._sha.update(data)
            size += len(data)
            request = reader.receive(data)
            if request is not None or reader.malformed or size > _MAX_REQUEST:
                break
        else:
            request = reader.end()
        self._request = request
        if request is None:
            self._begun = reader.begun
            self._watched.receive(self._begun)
        return request

    async def rest(self, source: Input) -> Input:
        """All of a request that was not collected, in pieces."""
        if self._begun:
            yield self._begun
        async for data in source:
            self._sha.update(data)
            self._watched.receive(data)
            yield data

    @property
    def negotiation(self) -> Negotiation:
        """What the request, now that it is answered, asks for; all zero when it can't be parsed."""
        if self._request is not None:
            return self._request.negotiation
        self._watched.end()
        return Negotiation() if self._watched.malformed else self._watched.counted

    def log(self, sent: int) -> None:
        """Reports the request and how many bytes answered it."""
        fields.put("request_sha", self._sha.hexdigest())
        fields.put("response_bytes", sent)
        report("smarthttp", self.negotiation)
