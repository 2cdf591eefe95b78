"""SSHUploadPackWithSidechannel and the older SSHUploadPack: a whole fetch, with all its rounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from grpc import StatusCode

from gitaly_py.git.errors import GitError
from gitaly_py.git.wire.negotiation import Negotiation
from gitaly_py.pb.ssh_pb2 import (
    SSHUploadPackRequest,
    SSHUploadPackResponse,
    SSHUploadPackWithSidechannelRequest,
    SSHUploadPackWithSidechannelResponse,
)
from gitaly_py.rpc.checks import none
from gitaly_py.rpc.status import Internal, RpcError, during
from gitaly_py.services.app import Call
from gitaly_py.services.fetching.fetch import Ending, Fetch, Input
from gitaly_py.services.fetching.serving import streamed
from gitaly_py.services.negotiation import Watched, message, report
from gitaly_py.services.output.bands import Bands
from gitaly_py.services.output.base import Output
from gitaly_py.services.output.messages import Messages
from gitaly_py.services.ssh.conversation import converse
from gitaly_py.services.ssh.running import DONE, NegotiationLimit, judge
from gitaly_py.services.ssh.service import SSH, service
from gitaly_py.services.transfer import (
    InvalidConfigOption,
    Observer,
    config_options,
    protocol_environment,
    sent_in,
    sent_on,
    sidechannel,
)
from gitaly_py.transport.errors import TransportError
from gitaly_py.transport.sidechannel import Sidechannel


@service.rpc(unresolved=StatusCode.INTERNAL)
async def ssh_upload_pack_with_sidechannel(
    call: Call, request: SSHUploadPackWithSidechannelRequest
) -> SSHUploadPackWithSidechannelResponse:
    """Serves a fetch on the side channel, where the streams of git travel in side-band packets."""
    async with await _sidechannel(call) as channel:
        output = Bands(channel)
        with during("running upload-pack"):
            counted = await _fetch(call, request, sent_on(channel), output)
            if output.broken is not None:
                raise output.broken
    return SSHUploadPackWithSidechannelResponse(packfile_negotiation_statistics=message(counted))


@service.rpc(none("stdin", otherwise="non-empty stdin in first request"))
async def ssh_upload_pack(
    call: Call, requests: AsyncIterator[SSHUploadPackRequest]
) -> AsyncIterator[SSHUploadPackResponse]:
    """The same for clients without side channels, in messages. An exit status comes before an error only."""
    first = await anext(requests)
    output = Messages(SSHUploadPackResponse)

    async def work() -> None:
        try:
            with during("running upload-pack"):
                await _fetch(call, first, sent_in(requests, "stdin"), output)
        except (GitError, InvalidConfigOption, RpcError) as error:
            await output.exit(getattr(error, "status", 0))
            raise

    async with aclosing(output.sent_by(work)) as messages:
        async for each in messages:
            yield each


async def _sidechannel(call: Call) -> Sidechannel:
    """Opens the side channel; the text of the error is the specification's, typing error and all."""
    try:
        return await sidechannel(call)
    except TransportError as error:
        raise Internal(f"opennig sidechannel: {error}") from error


async def _fetch(
    call: Call,
    request: SSHUploadPackWithSidechannelRequest | SSHUploadPackRequest,
    source: Input,
    output: Output,
) -> Negotiation:
    """Serves a fetch with all its rounds; what the client asked for, as far as that could be parsed."""
    config = config_options(request.git_config_options)
    fetch = Fetch(call, SSH, config, protocol_environment(call, request.git_protocol), output)
    limit = NegotiationLimit(DONE, call.app.config.timeout.upload_pack_negotiation)
    watched = Watched()
    try:
        async with aclosing(source), limit.watching() as watch:
            ending = await _conversation(fetch, source, watched, watch)
        judge(ending, "user canceled the request", quoted=True)
    finally:
        report("ssh", watched.counted)
    return watched.counted


async def _conversation(fetch: Fetch, source: Input, watched: Watched, watch: Observer) -> Ending:
    if fetch.version == 2:
        return await converse(fetch, source, watched.receive, watch)
    return await streamed(fetch, source, watched.receive, watch, side_band=lambda: watched.side_band)
