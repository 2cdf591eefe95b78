"""InfoRefsUploadPack and InfoRefsReceivePack: the reference advertisement of a repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from gitaly_py.git.commands import DISABLED, Command, Config
from gitaly_py.git.wire import pktline
from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.smarthttp.service import service
from gitaly_py.services.transfer import config_options, protocol_environment

_READ_BYTES = 128 * 1024


@service.rpc()
async def info_refs_upload_pack(call: Call, request: InfoRefsRequest) -> AsyncIterator[bytes]:
    """What a fetch begins with."""
    config = [*config_options(request.git_config_options), ("uploadpack.advertiseBundleURIs", "false")]
    async with aclosing(_advertised(call, request, "upload-pack", config)) as advertised:
        async for data in advertised:
            yield data


@service.rpc()
async def info_refs_receive_pack(call: Call, request: InfoRefsRequest) -> AsyncIterator[bytes]:
    """What a push begins with."""
    config = config_options(request.git_config_options)
    async with aclosing(_advertised(call, request, "receive-pack", config)) as advertised:
        async for data in advertised:
            yield data


async def _advertised(
    call: Call, request: InfoRefsRequest, name: str, config: Config
) -> AsyncGenerator[bytes, None]:
    environment = protocol_environment(call, request.git_protocol)
    yield pktline.encode(f"# service=git-{name}\n".encode())
    yield pktline.FLUSH
    known = await _known(call, name, config, environment.get("GIT_PROTOCOL", ""))
    if known is not None:
        yield known
        return
    command = Command(
        name=name,
        flags=["--stateless-rpc", "--advertise-refs"],
        args=[call.repository.path],
        hooks=DISABLED if name == "receive-pack" else None,
    )
    async with AsyncExitStack() as stack:
        with during("cmd"):
            start = call.app.git.start(call.repository.git, command, config=config, env=environment)
            process = await stack.enter_async_context(start)
        while data := await process.read(_READ_BYTES):
            yield data
        with during("wait"):
            await process.check()


async def _known(call: Call, name: str, config: Config, protocol: str) -> bytes | None:
    """What is advertised, where that is in memory or known anyway; None where git has to be asked."""
    advertiser = call.app.advertiser
    if name == "upload-pack" and protocol == "version=2":
        return await advertiser.capabilities(call.repository, config)
    return await advertiser.references(
        call.repository, config, protocol=protocol, stateless=True, service=name
    )
