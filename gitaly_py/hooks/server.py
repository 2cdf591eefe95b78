"""The daemon's end of the hooks that git starts.

git's child connects to a unix socket, shows the token of its push, and gets output and exit status back.
The protocol is described in `program/hook.py`; the RPCs of HookService do the same for gRPC clients.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import structlog

from gitaly_py.hooks.call import HookCall, Output, Writer
from gitaly_py.hooks.directories import HookDirectories
from gitaly_py.hooks.dispatch import run_hook
from gitaly_py.hooks.errors import PayloadError
from gitaly_py.hooks.fields import FieldTooLong, read_field, read_fields
from gitaly_py.hooks.payload import VARIABLE, Hook, HookRepository, Payload, UserDetails
from gitaly_py.hooks.program import hook as program
from gitaly_py.hooks.receive import ReceiveHooks
from gitaly_py.telemetry import tracing
from gitaly_py.telemetry.tasks import end_all, spawn

_MAX_FIELD = 16 * 1024 * 1024
"""More than Linux lets a process have of arguments and environment."""

_TRACE_CONTEXT = ("TRACEPARENT", "TRACESTATE")

_BY_FILENAME = {hook.filename: hook for hook in Hook if hook is not Hook.PACK_OBJECTS}

_log = structlog.get_logger("gitaly")


class HookWiring(NamedTuple):
    """What makes `git receive-pack` run the daemon's hooks. hooks_path: value of `core.hooksPath`."""

    hooks_path: str
    env: dict[str, str]

    @property
    def config(self) -> list[tuple[str, str]]:
        """The path as configuration of the command."""
        return [("core.hooksPath", self.hooks_path)]


class _Push(NamedTuple):
    payload: Payload
    path: str
    context: contextvars.Context


class _Request(NamedTuple):
    hook: Hook
    arguments: Sequence[str]
    environment: Sequence[str]


class ProtocolError(Exception):
    """What connected does not speak our protocol."""


class HookServer:
    """Serves the hooks of this process's pushes.

    runtime_dir: has a folder `sock.d`. socket_name: of the socket in there, another one a process.
    """

    def __init__(self, hooks: ReceiveHooks, runtime_dir: str, *, socket_name: str = "hooks") -> None:
        self._hooks = hooks
        self._runtime_dir = runtime_dir
        self._socket = os.path.join(runtime_dir, "sock.d", socket_name)
        self._directories = HookDirectories(runtime_dir)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._pushes: dict[str, _Push] = {}

    async def start(self) -> None:
        """Listens. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._connected, self._socket)

    async def close(self) -> None:
        """Ends hooks that run, and removes socket and folders."""
        if self._server is not None:
            self._server.close()
        await end_all(self._connections)
        with suppress(FileNotFoundError):
            os.unlink(self._socket)
        self._directories.remove()

    @contextmanager
    def wiring(
        self,
        repository: HookRepository,
        path: str,
        user: UserDetails,
        *,
        object_format: str = "sha1",
        client_context: bytes = b"",
    ) -> Iterator[HookWiring]:
        """The wiring of one push to the repository at `path`; its token is good inside the block only.

        object_format: `sha1` or `sha256`. client_context: `gitaly-client-context-bin` of the call. Hooks run
        in the caller's context: what they do has its correlation id and counts in its log fields.
        """
        token = secrets.token_urlsafe(32)
        needed = self._hooks.needed(path)
        payload = Payload(
            requested_hooks=needed,
            repository=repository,
            object_format=object_format,
            runtime_dir=self._runtime_dir,
            internal_socket=os.path.join(self._runtime_dir, "sock.d", "intern"),
            internal_socket_token=token,
            user_details=user,
            gitaly_client_context=client_context,
        )
        env = {VARIABLE: payload.encode(), program.SOCKET_VARIABLE: self._socket}
        self._pushes[token] = _Push(payload, path, contextvars.copy_context())
        try:
            yield HookWiring(self._directories.hooks_directory_for(needed), env)
        finally:
            del self._pushes[token]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spawn(self._serve(reader, writer), name="hook connection", owner=self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            _log.info("hook was ended", error=str(error))
        except (ProtocolError, FieldTooLong, PayloadError) as error:
            _log.warning("hook refused", error=str(error))
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read_request(reader)
        push = self._push_of(request)
        stdin = b"".join([chunk async for chunk in read_fields(reader, _MAX_FIELD)])
        call = _call(push, request, stdin, writer)
        work: set[asyncio.Task[Any]] = set()
        try:
            answering = self._answer(request, call, writer)
            answer = push.context.run(spawn, answering, name=request.hook.filename, owner=work)
            # git's child has said everything: the next thing to arrive is its end.
            gone = spawn(_gone(reader), name="end of hook", owner=work)
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_all(work)

    async def _answer(self, request: _Request, call: HookCall, writer: asyncio.StreamWriter) -> None:
        name = request.hook.filename
        with tracing.spanning(f"hook {name}", {"gitaly.hook": name}, parent=_carrier(call)) as span:
            status = await run_hook(self._hooks, request.hook, request.arguments, call)
            if span is not None and status:
                span.fail(f"exit status {status}")
        await _writer(writer, program.EXIT)(bytes([status]))

    def _push_of(self, request: _Request) -> _Push:
        token = Payload.from_environment(request.environment).internal_socket_token
        push = self._pushes.get(token)
        if push is None:
            raise ProtocolError("the token belongs to no push")
        return push


async def _gone(reader: asyncio.StreamReader) -> None:
    """Returns when the hook has ended, in whatever way."""
    with suppress(ConnectionError):
        await reader.read(1)


async def _read_request(reader: asyncio.StreamReader) -> _Request:
    name = os.fsdecode(await read_field(reader, _MAX_FIELD))
    if name not in _BY_FILENAME:
        raise ProtocolError(f"no hook: {name!r}")
    arguments = await read_field(reader, _MAX_FIELD)
    environment = await read_field(reader, _MAX_FIELD)
    return _Request(_BY_FILENAME[name], _words(arguments), _words(environment))


def _words(data: bytes) -> list[str]:
    return [os.fsdecode(word) for word in data.split(b"\0")] if data else []


def _call(push: _Push, request: _Request, stdin: bytes, writer: asyncio.StreamWriter) -> HookCall:
    variables = dict(variable.split("=", 1) for variable in request.environment if "=" in variable)
    count = variables.get("GIT_PUSH_OPTION_COUNT", "0")
    options = [variables.get(f"GIT_PUSH_OPTION_{number}", "") for number in range(int(count))]
    return HookCall(
        payload=push.payload,
        repository=push.payload.repository,
        path=push.path,
        output=Output(_writer(writer, program.STDOUT), _writer(writer, program.STDERR)),
        environment=variables,
        push_options=options,
        stdin=stdin,
    )


def _carrier(call: HookCall) -> tracing.Carrier:
    """The git process that started the hook."""
    return {key.lower(): call.environment[key] for key in _TRACE_CONTEXT if key in call.environment}


def _writer(writer: asyncio.StreamWriter, kind: int) -> Writer:
    async def write(data: bytes) -> None:
        writer.write(bytes([kind]) + program.field(data))
        # Whoever waits for the connection's end notices, and ends the hook.
        with suppress(ConnectionError):
            await writer.drain()

    return write
