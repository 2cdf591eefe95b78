"""A real daemon process for tests: `gitaly-py serve` with a configuration made for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
import psutil

StubT = TypeVar("StubT")

CHANNEL_OPTIONS = [("grpc.max_receive_message_length", 4 * 1024 * 1024)]
"""What clients take unless they are told otherwise."""

START_SECONDS = 90
STOP_SECONDS = 30


class Daemon:
    """One daemon with the storages `default`, `other`, and `gone` whose folder is removed after start.

    engine: what speaks gRPC; tests get it from the fixture of that name, so that they run over every engine.
    rpc: further TOML for the section `[rpc]`. extra: TOML that goes into the configuration, before its first
    table. tables: TOML that goes to its end.
    grace: how long calls may go on after a signal to stop. program: the module that is run. workers: how many
    processes serve calls.
    """

    def __init__(
        self,
        root: Path,
        *,
        engine: str,
        rpc: str = "",
        extra: str = "",
        tables: str = "",
        token: str = "",
        grace: str = "5s",
        environment: dict[str, str] | None = None,
        program: str = "gitaly_py",
        workers: int = 1,
    ) -> None:
        self.root = root
        self.token = token
        self.grace = grace
        self.socket = root / "gitaly.sock"
        self.storage = root / "storage"
        self.other_storage = root / "other"
        self.log = root / "daemon.log"
        self.config = root / "config.toml"
        self._environment = environment or {}
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.aio.Channel | None = None
        for folder in (self.storage, self.other_storage, root / "run", root / "bin"):
            folder.mkdir(parents=True, exist_ok=True)
        rpc_section = f'[workers]\ncount = {workers}\n[rpc]\nengine = "{engine}"\n{rpc}\n'
        self.config.write_text(self._configuration(extra, rpc_section + tables))

    def _configuration(self, extra: str, tables: str) -> str:
        auth = f'[auth]\ntoken = "{self.token}"\n' if self.token else ""
        return f"""
socket_path = "{self.socket}"
bin_dir = "{self.root}/bin"
runtime_dir = "{self.root}/run"
graceful_restart_timeout = "{self.grace}"
{extra}
[[storage]]
name = "default"
path = "{self.storage}"
[[storage]]
name = "other"
path = "{self.other_storage}"
[[storage]]
name = "gone"
path = "{self.root}/gone"
[logging]
format = "json"
{auth}{tables}
"""

    def start(self) -> Daemon:
        """Starts the process and waits until it serves."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self.log.touch()
        (self.root / "gone").mkdir(exist_ok=True)
        before = self._starts()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._program, "serve", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, **self._environment},
            )
        deadline = time.monotonic() + START_SECONDS
        while self._starts() <= before:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"the daemon did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        shutil.rmtree(self.root / "gone", ignore_errors=True)
        return self

    def _starts(self) -> int:
        return self.log.read_bytes().count(b'"Started Gitaly"')

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve calls, the oldest first."""
        return self.named("gitaly-worker")

    def named(self, beginning: str) -> list[psutil.Process]:
        """The daemon's processes beside the supervisor whose names begin so, the oldest first."""
        children = psutil.Process(self.pid).children()
        found = [child for child in children if lives(child) and _name(child).startswith(beginning)]
        return sorted(found, key=lambda each: each.create_time())

    @property
    def worker(self) -> psutil.Process:
        """The only one of them."""
        [found] = self.workers
        return found

    @property
    def runs(self) -> bool:
        """The process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def channel(self) -> grpc.aio.Channel:
        """A plain channel to the unix socket; one for all tests that share this daemon."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self.socket}", options=CHANNEL_OPTIONS)
        return self._channel

    def stub(self, kind: type[StubT]) -> StubT:
        """A client of one service."""
        return kind(self.channel)  # type: ignore[call-arg]

    def children(self) -> list[psutil.Process]:
        """The processes that the daemon started for calls and that still run."""
        with contextlib.suppress(psutil.NoSuchProcess):
            running = psutil.Process(self.pid).children(recursive=True)
            return [child for child in running if lives(child) and not _name(child).startswith("gitaly-")]
        return []

    def log_entries(self) -> Iterator[dict[str, Any]]:
        """The entries of the daemon's JSON log so far."""
        # What is behind the last newline is being written.
        whole, _, _ = self.log.read_text().rpartition("\n")
        for line in whole.split("\n"):
            if line.startswith("{"):
                yield json.loads(line)

    async def access_entry(self, method: str, **expected: Any) -> dict[str, Any]:
        """The newest access log entry of `method` with these values; waits for it a moment."""
        for _ in range(200):
            for entry in reversed(list(self.log_entries())):
                if entry.get("grpc.method") == method and expected.items() <= entry.items():
                    return entry
            await asyncio.sleep(0.02)
        raise AssertionError(f"no access log entry of {method} with {expected}")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the daemon."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Waits for the process to end; its exit status."""
        assert self._process is not None
        return self._process.wait(timeout)

    async def close_channel(self) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    def kill(self) -> None:
        """`kill -9`, for tests of crashes."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status. Kills a daemon that doesn't stop in time."""
        if self._process is None:
            return -1
        if not self.runs:
            return self._process.returncode
        self.send(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""
