"""Git processes: started here and nowhere else, and never outliving their owner (daemon.md 6.5).

A process belongs to an `async with` block. When the block ends, however it ends, our ends of its pipes
are closed, a process that still runs gets SIGTERM with its whole group, so that git removes its lock
files, and it is reaped. Exit is awaited through a pidfd: no threads, no SIGCHLD.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import structlog

from gitaly_py.git import accounting, spans
from gitaly_py.git.cgroups.groups import ControlGroups
from gitaly_py.git.child import Process
from gitaly_py.git.commands import COMMANDS, Command
from gitaly_py.git.environment import config_flags, environment_of, inherited
from gitaly_py.git.errors import (
    CommandFailed,
    CommandTimedOut,
    InvalidCommand,
    OutputTooLarge,
    SpawnFailed,
)
from gitaly_py.git.format import reference_backend
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.spawning import Program, Spawner, discard
from gitaly_py.git.streams import PIPE, Options, Stderr, Streams
from gitaly_py.git.version import Version, parse_version, version_string
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tracing import Span

__all__ = ["PIPE", "Finished", "Git", "Options", "Process", "Stderr"]

_log = structlog.get_logger("gitaly")

MAX_OUTPUT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process left. status: as of `Process.wait`."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes

    def check(self) -> Finished:
        """Itself. Raises CommandFailed unless the status is 0."""
        if self.status != 0:
            raise CommandFailed(self.command, self.status, self.stderr)
        return self


class Place(TypedDict, total=False):
    """Where a process runs: its folder, its repository, and that one's reference backend (a metric label).

    span: of the process, while there are traces.
    """

    cwd: str
    repository: GitRepository | None
    backend: str
    span: Span | None


class Git:
    """Starts git for the whole daemon; one object a process. `close` ends every child.

    groups: where processes belong, None where the system need not know; closed with this.
    """

    def __init__(self, settings: GitSettings | None = None, groups: ControlGroups | None = None) -> None:
        self.settings = settings or GitSettings()
        self._groups = groups
        self._environment = inherited(self.settings.environment)
        self._spawner = Spawner()
        self._live: set[Process] = set()
        self._known_version: tuple[tuple[int, int, int], str, Version] | None = None
        self.binary = shutil.which(self.settings.binary) or self.settings.binary or self._from_path()

    @property
    def version(self) -> str:
        """`2.39.5`; asked again when the binary has changed on disk."""
        return self._versions()[1]

    @property
    def version_tuple(self) -> Version:
        """`version` as numbers."""
        return self._versions()[2]

    def check(self, command: Command) -> None:
        """Raises InvalidCommand as `start` does, for whoever has something to do before."""
        with _counting_refusals():
            command.arguments()

    @asynccontextmanager
    async def start(
        self, repository: GitRepository | None, command: Command, **options: Unpack[Options]
    ) -> AsyncIterator[Process]:
        """A process that lives as long as the block.

        Raises InvalidCommand before anything is started, SpawnFailed, FormatError for a repository
        without a usable config file, and at the block's end CommandTimedOut.
        """
        async with self._lived(
            command.name, lambda: self._spawn(repository, command, options), options
        ) as process:
            yield process

    @asynccontextmanager
    async def start_program(
        self, argv: Sequence[str], *, cwd: str, **options: Unpack[Options]
    ) -> AsyncIterator[Process]:
        """A program other than git (a custom hook, a compressor) that lives as long as the block.

        argv: begins with the program's absolute path. `env` is its whole environment.
        Raises SpawnFailed, and at the block's end CommandTimedOut.
        """
        name = os.path.basename(argv[0])
        line = [os.fsencode(argument) for argument in argv]
        environment = {os.fsencode(key): os.fsencode(value) for key, value in options.get("env", {}).items()}

        async with self._lived(
            name, lambda: self._begun(line, environment, name, options, cwd=cwd), options
        ) as process:
            yield process

    @asynccontextmanager
    async def _lived(
        self, name: str, spawn: Callable[[], Awaitable[Process]], options: Options
    ) -> AsyncIterator[Process]:
        """Starts a process and ends it with the block, whatever ends that."""
        timeout = options.get("timeout")
        try:
            async with asyncio.timeout(timeout) as deadline:
                process = await spawn()
                try:
                    yield process
                finally:
                    await process.end()
                    if options.get("stderr", Stderr.LOG) is Stderr.LOG:
                        self._report(process)
        except TimeoutError:
            if timeout is None or not deadline.expired():
                raise
            raise CommandTimedOut(name, timeout) from None

    async def run(
        self,
        repository: GitRepository | None,
        command: Command,
        *,
        max_output: int = MAX_OUTPUT,
        **options: Unpack[Options],
    ) -> Finished:
        """Runs a command to its end. Its stderr is kept and not logged, unless `stderr` says otherwise.

        max_output: bytes. Raises OutputTooLarge and what `start` raises; not for a failing command, see
        `Finished.check`.
        """
        options.setdefault("stderr", Stderr.KEEP)
        async with self.start(repository, command, **options) as process:
            chunks: list[bytes] = []
            size = 0
            while process.stdout is not None and (chunk := await process.read()):
                size += len(chunk)
                if size > max_output:
                    raise OutputTooLarge(command.name, max_output)
                chunks.append(chunk)
            status = await process.wait()
        return Finished(command.name, status, b"".join(chunks), process.stderr)

    async def close(self) -> None:
        """Ends all processes that still run."""
        processes = list(self._live)
        for process in processes:
            process.terminate()
        for process in processes:
            await process.exited()
        self._spawner.close()
        if self._groups is not None:
            await asyncio.to_thread(self._groups.close)

    def kill(self) -> None:
        """Ends all processes that still run, and what they have started, at once."""
        for process in list(self._live):
            process.kill()

    async def _spawn(self, repository: GitRepository | None, command: Command, options: Options) -> Process:
        line = self._line(repository, command, options)
        backend = reference_backend(repository.path) if repository else "files"
        secrets = options.get("secrets", ())
        environment = environment_of(self._environment, repository, options.get("env", {}), secrets)
        return await self._begun(
            line, environment, command.name, options, backend=backend, repository=repository
        )

    async def _begun(
        self,
        line: list[bytes],
        environment: Mapping[bytes, bytes],
        name: str,
        options: Options,
        **place: Unpack[Place],
    ) -> Process:
        span = place["span"] = spans.begun(line[0], name)
        try:
            return await self._child(line, spans.handed_on(span, environment), name, options, **place)
        except BaseException:
            spans.not_started(span)
            raise

    async def _child(
        self,
        line: list[bytes],
        environment: Mapping[bytes, bytes],
        name: str,
        options: Options,
        **place: Unpack[Place],
    ) -> Process:
        began = time.monotonic()
        with Streams(options) as streams:
            descriptors = (streams.child_stdin, streams.child_stdout, streams.child_stderr)
            try:
                program = Program(line, environment, descriptors, place.get("cwd"), _makes_packs(name))
                pid = await self._spawner.start(program)
            except OSError as error:
                raise SpawnFailed(name, error) from error
            try:
                process = Process(
                    pid,
                    streams,
                    name,
                    self.settings.terminate_grace,
                    lambda ended: self._reaped(ended, line, place),
                )
            except OSError as error:
                await discard(pid)
                raise SpawnFailed(name, error) from error
            streams.hand_over()
        self._live.add(process)
        if self._groups is not None:
            self._place(process, self._groups, line, place.get("repository"))
        accounting.started(self._names(line, name), time.monotonic() - began)
        _log.debug("spawn", pid=process.pid, **_shown(line))
        return process

    def _place(
        self, process: Process, groups: ControlGroups, line: list[bytes], repository: GitRepository | None
    ) -> None:
        key = os.fsdecode(b"/".join(line)) if repository is None else groups.key(repository.path)
        accounting.placed(groups.admit(process.pid, key, lambda: process.returncode is None))

    def _line(self, repository: GitRepository | None, command: Command, options: Options) -> list[bytes]:
        config = options.get("config", ())
        with _counting_refusals():
            arguments = command.arguments()
            flags = config_flags(self.version_tuple, repository, command, config, self.settings.config)
        line = [os.fsencode(self.binary), *map(os.fsencode, command.global_flags)]
        if "worktree" in options:
            line += [b"-C", os.fsencode(options["worktree"])]
        elif repository is not None:
            line += [b"--git-dir", os.fsencode(repository.path)]
        return line + flags + arguments

    def _reaped(self, process: Process, line: list[bytes], place: Place) -> None:
        self._live.discard(process)
        if process.usage is not None:
            names = self._names(line, process.name)
            accounting.ended(names, process.usage, self.version, place.get("backend", "files"))
        spans.ended(place.get("span"), process.pid, process.returncode, process.usage)
        times = accounting.times(process.usage) if process.usage else {}
        ended = {"command.exitCode": process.returncode, **times}
        _log.debug("spawn complete", pid=process.pid, **_shown(line), **ended)

    def _names(self, line: list[bytes], name: str) -> accounting.Names:
        return ("git", name) if line[0] == os.fsencode(self.binary) else (name, "")

    def _report(self, process: Process) -> None:
        if process.stderr and not process.ended_by_us:
            report = _log.error if process.returncode else _log.warning
            report(process.stderr.decode("utf-8", "replace"), pid=process.pid, command=process.name)

    def _versions(self) -> tuple[tuple[int, int, int], str, Version]:
        status = os.stat(self.binary)
        state = (status.st_size, status.st_mtime_ns, status.st_mode)
        if self._known_version is None or self._known_version[0] != state:
            environment = environment_of(self._environment, None, {}, ())
            output = subprocess.run(
                [self.binary, "version"], capture_output=True, check=True, env=environment
            )
            version = version_string(output.stdout.decode())
            self._known_version = (state, version, parse_version(version))
        return self._known_version

    def _from_path(self) -> str:
        _log.warning("Git has not been properly configured, falling back to Git found on PATH")
        found = shutil.which("git", path=self.settings.environment.get("PATH"))
        if found is None:
            raise SpawnFailed("version", FileNotFoundError(2, "No such file or directory"))
        return found


@contextmanager
def _counting_refusals() -> Iterator[None]:
    try:
        yield
    except InvalidCommand as error:
        metrics.invalid_commands.labels(error.command).inc()
        raise


def _shown(line: list[bytes]) -> dict[str, Any]:
    """A command line as the log has it."""
    return {"path": os.fsdecode(line[0]), "args": [os.fsdecode(argument) for argument in line]}


def _makes_packs(command: str) -> bool:
    known = COMMANDS.get(command)
    return known is not None and known.makes_packs
