"""SSHReceivePack: a push over SSH."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.pb.ssh_pb2 import SSHReceivePackRequest, SSHReceivePackResponse
from gitaly_py.rpc.checks import early, none, some
from gitaly_py.services.app import Call
from gitaly_py.services.fetching.fetch import ending_of
from gitaly_py.services.output.messages import Messages
from gitaly_py.services.ssh.running import GitFailed, HungUp, judge, run
from gitaly_py.services.ssh.service import SSH, service
from gitaly_py.services.starting import receive_pack
from gitaly_py.services.transfer import sent_in, tidying

_DRAIN_SECONDS = 0.1
"""A client that has heard git's report ends its request; one that has not noticed the end still sends."""


@service.rpc(
    early(some("gl_id", otherwise="empty GlId")),
    early(none("stdin", otherwise="non-empty data in first request")),
)
async def ssh_receive_pack(
    call: Call, requests: AsyncIterator[SSHReceivePackRequest]
) -> AsyncIterator[SSHReceivePackResponse]:
    """Takes a push. One that is refused is no error of the call: git reports it in band."""
    first = await anext(requests)
    output = Messages(SSHReceivePackResponse)

    async def work() -> None:
        async with receive_pack(call, SSH, first) as process, tidying(process):
            await run(process, sent_in(requests, "stdin"), output, drain=_DRAIN_SECONDS)
        try:
            judge(ending_of(output, process), "user canceled the push")
        except (GitFailed, HungUp) as error:
            await output.exit(error.status)
            raise

    async with aclosing(output.sent_by(work)) as messages:
        async for each in messages:
            yield each
