"""The runtime directory: private sockets and helpers of one daemon process (daemon.md 1.4)."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

import psutil
import structlog

_log = structlog.get_logger("gitaly")
_OURS = re.compile(r"gitaly-([0-9]+)")


class RuntimeDirectoryError(Exception):
    """The runtime directory can't hold a socket, or no program."""


class RuntimeDirectory:
    """`<parent>/gitaly-<pid>` or, without a parent, a fresh directory in the system's temporary one.

    Everything in it is removed by `remove`. sockets: folder of private sockets, mode 0700.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sockets = path / "sock.d"

    @classmethod
    def create(cls, parent: str) -> RuntimeDirectory:
        """Makes the directory; removes those that dead daemons left in `parent` first.

        Raises RuntimeDirectoryError when the path is too long for a unix socket, and where nothing can be
        executed.
        """
        if parent:
            prune(Path(parent))
            path = Path(parent) / f"gitaly-{os.getpid()}"
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(mode=0o700)
        else:
            path = Path(tempfile.mkdtemp(prefix="gitaly-"))
        directory = cls(path)
        directory.sockets.mkdir(mode=0o700)
        directory._try_socket()
        directory._try_program()
        return directory

    @property
    def internal_socket(self) -> Path:
        """Where the internal listener is."""
        return self.sockets / "intern"

    def forget(self, worker: int) -> None:
        """Deletes the sockets of a worker that has ended; a killed one leaves them."""
        for kind in "ehip":
            (self.sockets / f"{kind}{worker}").unlink(missing_ok=True)

    def remove(self) -> None:
        """Deletes the directory with all it holds."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _try_socket(self) -> None:
        # No socket of the daemon has a longer name.
        path = self.sockets / "tsocket"
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.bind(str(path))
            except OSError as error:
                self.remove()
                raise RuntimeDirectoryError(
                    "failed creating internal test socket: invalid argument: your socket path is likely too "
                    "long, please change Gitaly's runtime directory"
                ) from error
        path.unlink()

    def _try_program(self) -> None:
        # Git takes a hook that it can't execute for one that is not there, and lets every push pass.
        path = self.sockets / "tprogram"
        path.touch(0o500)
        executable = os.access(path, os.X_OK)
        path.unlink()
        if not executable:
            self.remove()
            raise RuntimeDirectoryError(
                f"runtime directory {self.path.parent} is on a file system that is mounted noexec, where git "
                "would leave out hooks"
            )


def coordinator_socket(path: str) -> str:
    """Where workers find the coordinator. path: the runtime directory."""
    return f"{path}/sock.d/coord"


def prune(parent: Path) -> None:
    """Removes the runtime directories of daemons that are gone, or whose pid another user has now."""
    for entry in sorted(parent.iterdir()):
        if not entry.is_dir():
            continue
        match = _OURS.fullmatch(entry.name)
        if match is None:
            _log.info("ignoring unknown entry in the runtime directory", path=str(entry))
        elif not _lives(int(match[1])):
            _log.info("removing leftover runtime directory", path=str(entry))
            shutil.rmtree(entry, ignore_errors=True)


def _lives(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        return psutil.Process(pid).uids().real == os.getuid()
    except psutil.NoSuchProcess:
        return False
