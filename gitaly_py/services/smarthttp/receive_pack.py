"""PostReceivePack: a push over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from grpc import StatusCode

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Process
from gitaly_py.hooks.payload import HookRepository, UserDetails
from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest
from gitaly_py.rpc.checks import early, none, some
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.smarthttp.service import service
from gitaly_py.services.transfer import (
    InvalidConfigOption,
    config_options,
    fed,
    protocol_environment,
    tidying,
)

_READ_BYTES = 128 * 1024


@service.rpc(
    early(some("gl_id", otherwise="empty GlId")),
    early(none("data", otherwise="non-empty Data")),
    codes={InvalidConfigOption: StatusCode.INTERNAL},
)
async def post_receive_pack(
    call: Call, requests: AsyncIterator[PostReceivePackRequest]
) -> AsyncIterator[bytes]:
    """Takes a push. One that is refused is no error of the call: git reports it in band."""
    first = await anext(requests)
    async with _receive_pack(call, first) as process, fed(process, _data_of(requests)) as feeding:
        while data := await process.read(_READ_BYTES):
            yield data
        with during("waiting for receive-pack", undecided=StatusCode.FAILED_PRECONDITION):
            await process.exited()
            await process.check()
        await feeding.drained()


@asynccontextmanager
async def _receive_pack(call: Call, first: PostReceivePackRequest) -> AsyncIterator[Process]:
    config = config_options(first.git_config_options)
    repository = call.repository
    user = UserDetails(
        username=first.gl_username,
        userid=first.gl_id,
        protocol="http",
        remote_ip=call.metadata.first("remote_ip"),
    )
    async with AsyncExitStack() as stack:
        wiring = stack.enter_context(
            call.app.hooks.wiring(
                HookRepository.of(first.repository),
                repository.path,
                user,
                object_format=repository.reader().format.name,
                client_context=call.metadata.binary("gitaly-client-context-bin"),
            )
        )
        command = Command(
            name="receive-pack", flags=["--stateless-rpc"], args=[repository.path], hooks=wiring.hooks_path
        )
        with during("spawning receive-pack", undecided=StatusCode.FAILED_PRECONDITION):
            start = call.app.git.start(
                repository.git,
                command,
                stdin=PIPE,
                config=config,
                env={**wiring.env, **protocol_environment(call, first.git_protocol)},
            )
            process = await stack.enter_async_context(start)
        await stack.enter_async_context(tidying(process))
        yield process


async def _data_of(requests: AsyncIterator[PostReceivePackRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.data:
            yield request.data
