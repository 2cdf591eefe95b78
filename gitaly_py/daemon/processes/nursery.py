"""Where the daemon's other processes come from: one that has imported everything they need, and forks.

A process that began as an interpreter of its own would spend most of a second on its imports, and share none
of the memory that they take. This process does nothing else, so that there is nothing a fork could break: it
has one thread, no event loop, and of gRPC no more than its modules.

`python -m gitaly_py.daemon.processes.nursery FD` takes the place of one that was killed. FD: its end of the
socket.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final, NoReturn

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # see daemon.run

from gitaly_py.daemon.coordination.entry import coordinate
from gitaly_py.daemon.workers.entry import work
from gitaly_py.rpc.methods import all_methods
from gitaly_py.services import registry

_REQUEST: Final = struct.Struct("!IB")
_ANSWER: Final = struct.Struct("!Ii")
_PID: Final = struct.Struct("!i")


class Kind(IntEnum):
    """What a process is to be."""

    WORKER = 0
    COORDINATOR = 1


_WORK: Final = {Kind.WORKER: work, Kind.COORDINATOR: coordinate}
_NAMES: Final = {Kind.WORKER: "gitaly-worker", Kind.COORDINATOR: "gitaly-coord"}
"""At most fifteen characters are shown."""


class Nursery:
    """The supervisor's way to it. To be made before there are threads or an event loop.

    private: sockets of the supervisor, which are not for it. pid: its process id.
    """

    def __init__(self, private: Sequence[socket.socket] = ()) -> None:
        self._numbers = itertools.count(1)
        ours, theirs = _pair()
        with theirs:
            self.pid = os.fork()
            if not self.pid:
                for sock in (ours, *private):
                    sock.close()
                _live(lambda: _breed(theirs))
        self._sock = ours

    async def start(self, kind: Kind, end: socket.socket) -> int:
        """Starts a process, whose end of the link is `end`; its process id. The caller becomes its parent.

        Not to be called again before it has returned. Raises OSError.
        """
        try:
            return await self._started(kind, end)
        except EOFError:
            self._replace()
        try:
            return await self._started(kind, end)
        except EOFError:
            raise ChildProcessError(errno.ECHILD, "the nursery does not live") from None

    def end(self) -> None:
        """Ends it; those that it has started live on."""
        self._sock.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    async def _started(self, kind: Kind, end: socket.socket) -> int:
        """Raises OSError, and EOFError when there is nobody to ask."""
        number = next(self._numbers)
        try:
            socket.send_fds(self._sock, [_REQUEST.pack(number, kind)], [end.fileno()])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError from error
        while True:
            answered, pid = _ANSWER.unpack(await self._answer())
            # An earlier answer is one that was no longer waited for.
            if answered == number:
                break
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return int(pid)

    async def _answer(self) -> bytes:
        with suppress(ConnectionResetError):
            if answer := await asyncio.get_running_loop().sock_recv(self._sock, _ANSWER.size):
                return answer
        raise EOFError

    def _replace(self) -> None:
        self.end()
        self._sock, theirs = _pair()
        with theirs:
            theirs.set_inheritable(True)
            line = [sys.executable, "-m", "gitaly_py.daemon.processes.nursery", str(theirs.fileno())]
            self.pid = os.posix_spawn(sys.executable, line, os.environ, setpgroup=0)


def main(argv: list[str]) -> int:
    """Forks processes until the supervisor is gone; the exit status."""
    sock = socket.socket(fileno=int(argv[1]))
    sock.set_inheritable(False)
    return _breed(sock)


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def _breed(sock: socket.socket) -> int:
    _call("gitaly-nursery")
    os.setpgid(0, 0)
    # What these import when they are first asked is to be there.
    registry()
    all_methods()
    # Nothing that is here now is ever garbage. A collector that looked at it would have the memory copied.
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(sock, _REQUEST.size, 1)
        if not request:
            return 0
        [end] = descriptors
        number, kind = _REQUEST.unpack(request)
        answer = _ANSWER.pack(number, _forked(sock, Kind(kind), end))
        os.close(end)
        with suppress(BrokenPipeError):
            sock.send(answer)


def _forked(sock: socket.socket, kind: Kind, end: int) -> int:
    """The process id of a new process, or the negative number of an error.

    Its parent ends at once. The supervisor, as a subreaper, takes its place.
    """
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return -(error.errno or errno.EAGAIN)
    if not child:
        os.close(reading)
        _fork_again(sock, kind, end, writing)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as answer:
        told = answer.read()
    return int(_PID.unpack(told)[0]) if told else -errno.EAGAIN


def _fork_again(sock: socket.socket, kind: Kind, end: int, writing: int) -> NoReturn:
    try:
        pid = os.fork()
    except OSError as error:
        pid = -(error.errno or errno.EAGAIN)
    if not pid:
        sock.close()
        os.close(writing)
        _call(_NAMES[kind])
        os.setpgid(0, 0)
        _live(lambda: _WORK[kind](socket.socket(fileno=end)))
    os.write(writing, _PID.pack(pid))
    os._exit(0)


def _live(work: Callable[[], int]) -> NoReturn:
    """The whole life of a forked process, which never returns to what its parent was doing.

    To tear down the interpreter would take a tenth of a second and give back what the kernel does anyway.
    """
    status = 1
    try:
        status = work()
    except Exception:  # noqa: BLE001 - the border of the process
        traceback.print_exc()
    finally:
        os._exit(status)


def _call(name: str) -> None:
    """Names this process, for who looks at a list of them, unless /proc is read-only."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
