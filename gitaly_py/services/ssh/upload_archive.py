"""SSHUploadArchive: `git archive --remote`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import GitError
from gitaly_py.pb.ssh_pb2 import SSHUploadArchiveRequest, SSHUploadArchiveResponse
from gitaly_py.rpc.checks import none
from gitaly_py.rpc.status import RpcError, during
from gitaly_py.services.app import Call
from gitaly_py.services.output.messages import Messages
from gitaly_py.services.ssh.running import FLUSH, GitFailed, NegotiationLimit
from gitaly_py.services.ssh.service import SSH, service
from gitaly_py.services.starting import started
from gitaly_py.services.transfer import sent_in


@service.rpc(none("stdin", otherwise="non-empty stdin in first request"))
async def ssh_upload_archive(
    call: Call, requests: AsyncIterator[SSHUploadArchiveRequest]
) -> AsyncIterator[SSHUploadArchiveResponse]:
    """Makes an archive. The exit status of git comes last, unless the client is to blame for the end."""
    await anext(requests)
    output = Messages(SSHUploadArchiveResponse)
    limit = NegotiationLimit(FLUSH, call.app.config.timeout.upload_archive_negotiation)

    async def work() -> None:
        command = Command(name="upload-archive", args=[call.repository.path])
        try:
            async with started(call, SSH, command) as process:
                await limit.run(process, sent_in(requests, "stdin"), output)
        except GitFailed as error:
            await output.exit(error.status)
            with during("send"):
                raise
        except (GitError, RpcError):
            with during("running upload-archive"):
                raise
        await output.exit(0)

    async with aclosing(output.sent_by(work)) as messages:
        async for each in messages:
            yield each
