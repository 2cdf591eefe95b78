"""How requests over HTTP and SSH start git, and receive-pack most of all (transport.md 2, 3, 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Unpack

from grpc import StatusCode

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Options, Process, Stderr
from gitaly_py.hooks.payload import HookRepository, UserDetails
from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest
from gitaly_py.pb.ssh_pb2 import SSHReceivePackRequest
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.transfer import config_options, protocol_environment


@dataclass(frozen=True)
class Transport:
    """What differs between the protocols that bring fetches and pushes.

    name: what hooks are told, `http` or `ssh`. flags: of the commands. stderr: what becomes of git's.
    starting: prefix of the error when a command, `{}`, can't be started. undecided: the code of that error.
    """

    name: str
    flags: tuple[str, ...]
    stderr: Stderr
    starting: str
    undecided: StatusCode


@asynccontextmanager
async def started(
    call: Call, transport: Transport, command: Command, **options: Unpack[Options]
) -> AsyncIterator[Process]:
    """A command on the call's repository, as long as the block; its standard input is a pipe."""
    options = {"stdin": PIPE, "stderr": transport.stderr, **options}
    async with AsyncExitStack() as stack:
        with during(transport.starting.format(command.name), undecided=transport.undecided):
            start = call.app.git.start(call.repository.git, command, **options)
            process = await stack.enter_async_context(start)
        yield process


@asynccontextmanager
async def receive_pack(
    call: Call, transport: Transport, first: PostReceivePackRequest | SSHReceivePackRequest
) -> AsyncIterator[Process]:
    """`git receive-pack` with hooks that act for the user whom the first request names.

    Raises InvalidConfigOption.
    """
    config = config_options(first.git_config_options)
    repository = call.repository
    user = UserDetails(
        username=first.gl_username,
        userid=first.gl_id,
        protocol=transport.name,
        remote_ip=call.metadata.first("remote_ip"),
    )
    wired = call.app.hooks.wiring(
        HookRepository.of(first.repository),
        repository.path,
        user,
        object_format=repository.reader().format.name,
        client_context=call.metadata.binary("gitaly-client-context-bin"),
    )
    with wired as wiring:
        command = Command(
            name="receive-pack", flags=transport.flags, args=[repository.path], hooks=wiring.hooks_path
        )
        env = {**wiring.env, **protocol_environment(call, first.git_protocol)}
        async with started(call, transport, command, config=config, env=env) as process:
            yield process
