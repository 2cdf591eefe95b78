"""What a service manager gives a daemon, and what it is told (sd_listen_fds(3), sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import psutil
import pytest

from gitaly_py.pb.server_pb2 import ServerInfoRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.metrics import free_port
from tests.support.pushes import eventually, install
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, creation

# What a manager does between fork and exec, which must be done by the process itself.
ACTIVATED = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "gitaly_py", "serve", sys.argv[1]])
"""


class Manager:
    """Listens to what a daemon says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def said(self) -> list[str]:
        """The assignments so far, in their order."""
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


async def test_the_manager_is_told_of_start_reload_and_stop(new_daemon: NewDaemon, manager: Manager) -> None:
    daemon = new_daemon(environment={"NOTIFY_SOCKET": str(manager.path)}).start()
    await eventually(lambda: "READY=1" in manager.said())
    assert f"MAINPID={daemon.pid}" in manager.said()
    manager.heard.clear()

    daemon.send(signal.SIGHUP)
    await eventually(lambda: "READY=1" in manager.said())

    assert manager.heard[0] == "RELOADING=1"
    assert manager.heard[1].startswith("MONOTONIC_USEC=")
    manager.heard.clear()
    assert daemon.stop() == 0
    assert manager.said() == ["STOPPING=1"]


async def test_hooks_have_no_way_to_the_manager(
    new_daemon: NewDaemon, manager: Manager, tmp_path: Path
) -> None:
    daemon = new_daemon(environment={"NOTIFY_SOCKET": str(manager.path)}).start()
    repo = repository_in(daemon.storage)
    install(Path(repo.path, "custom_hooks/pre-receive"), f"env >{tmp_path}/variables")
    _, body = creation(repo, Repo.init(tmp_path / "source"))

    answer = [message.data async for message in begin_push(daemon.channel, repo, [body])]

    assert b"unpack ok" in b"".join(answer)
    variables = (tmp_path / "variables").read_text()
    assert "GIT_DIR=" in variables
    assert "NOTIFY_SOCKET" not in variables
    assert daemon.stop() == 0


async def test_a_pid_file_is_written_when_the_daemon_serves(new_daemon: NewDaemon, tmp_path: Path) -> None:
    daemon = new_daemon(environment={"GITALY_PID_FILE": str(tmp_path / "pid")}).start()

    await eventually((tmp_path / "pid").exists)
    assert (tmp_path / "pid").read_text() == f"{daemon.pid}\n"
    assert daemon.stop() == 0


async def test_a_pid_file_is_replaced_as_a_whole(new_daemon: NewDaemon, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "pid"
    file.write_text("old\n")
    with file.open() as former:
        daemon = new_daemon(environment={"GITALY_PID_FILE": str(file)}).start()
        await eventually(lambda: file.read_text() == f"{daemon.pid}\n")
        assert former.read() == "old\n"
    assert [path.name for path in file.parent.iterdir()] == ["pid"]
    assert daemon.stop() == 0


async def test_sockets_of_the_manager_are_served(new_daemon: NewDaemon, tmp_path: Path) -> None:
    port = free_port()
    daemon = new_daemon(extra=f'listen_addr = "127.0.0.1:{port}"')
    unix, tcp, foreign = (
        socket.socket(family) for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET)
    )
    unix.bind(str(daemon.socket))
    tcp.bind(("127.0.0.1", port))
    foreign.bind(("127.0.0.1", 0))
    for each in (unix, tcp, foreign):
        each.listen()
    inode = os.stat(daemon.socket).st_ino

    with activated(daemon, unix, tcp, foreign) as process:
        for target in (f"unix:{daemon.socket}", f"127.0.0.1:{port}"):
            # Connections that come before the daemon serves wait for it.
            async with grpc.aio.insecure_channel(target) as channel:
                await ServerServiceStub(channel).ServerInfo(ServerInfoRequest(), timeout=20)
        assert os.stat(daemon.socket).st_ino == inode
        # Workers get those that they serve, and whatever else the daemon starts gets none.
        assert held(process.pid, unix) == ["supervisor", "gitaly-worker"]
        assert held(process.pid, foreign) == []
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0

    # It is the manager's, which may start the daemon again when somebody connects.
    assert daemon.socket.exists()
    texts = [entry for entry in daemon.log_entries() if entry["level"] == "warning"]
    name = f"127.0.0.1:{foreign.getsockname()[1]}"
    assert [entry["address"] for entry in texts if "service manager" in entry["msg"]] == [name]
    for each in (unix, tcp, foreign):
        each.close()


def held(supervisor: int, sock: socket.socket) -> list[str]:
    """Names of the daemon's processes that have a socket open."""
    inode = os.fstat(sock.fileno()).st_ino
    processes = {supervisor: "supervisor"}
    processes |= {each.pid: each.name() for each in psutil.Process(supervisor).children()}
    return [name for pid, name in processes.items() if f"socket:[{inode}]" in descriptors(pid)]


def descriptors(pid: int) -> set[str]:
    """What a process has open."""
    return {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}


class activated:  # noqa: N801 - reads as a function
    """A daemon that inherits sockets as its first descriptors, while the block runs."""

    def __init__(self, daemon: Daemon, *sockets: socket.socket) -> None:
        self._daemon = daemon
        self._sockets = sockets

    def __enter__(self) -> subprocess.Popen[bytes]:
        (self._daemon.root / "gone").mkdir(exist_ok=True)
        moved = [os.dup(each.fileno()) for each in self._sockets]
        first = 3

        def in_place() -> None:
            for number, fd in enumerate(moved):
                os.dup2(fd, 100 + number)
            for number in range(len(moved)):
                os.dup2(100 + number, first + number)

        with self._daemon.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATED, str(self._daemon.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LISTEN_FDS": str(len(moved))},
                preexec_fn=in_place,  # noqa: PLW1509 - no thread of the test runs at this time
                pass_fds=range(first, first + len(moved)),
            )
        for fd in moved:
            os.close(fd)
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
