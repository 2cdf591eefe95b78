"""PostReceivePack: a push over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest
from gitaly_py.rpc.checks import early, none, some
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.smarthttp.service import HTTP, service
from gitaly_py.services.starting import receive_pack
from gitaly_py.services.transfer import InvalidConfigOption, fed, sent_in, tidying

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
    async with (
        receive_pack(call, HTTP, first) as process,
        tidying(process),
        fed(process, sent_in(requests, "data")) as feeding,
    ):
        while data := await process.read(_READ_BYTES):
            yield data
        with during("waiting for receive-pack", undecided=StatusCode.FAILED_PRECONDITION):
            await process.exited()
            await process.check()
        await feeding.drained()
