"""Tells a service manager how the daemon is (sd_notify(3)), and others by a pid file (daemon.md 2.5)."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import structlog

from gitaly_py.storage.replacing import replace_file

_log = structlog.get_logger("gitaly")


class ServiceManager:
    """The manager named by NOTIFY_SOCKET, if there is one."""

    def __init__(self) -> None:
        # Children have nothing to tell it.
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        self._pid_file = os.environ.get("GITALY_PID_FILE", "")

    def ready(self) -> None:
        """The daemon serves."""
        if self._pid_file:
            _write_pid(Path(self._pid_file))
        self._tell(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon ends."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """What an operator sees in the status of the service."""
        self._tell(f"STATUS={text}")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the zero byte of an abstract address.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(message.encode(), address)
        except OSError as error:
            _log.warning("service manager not reached", error=str(error))


def _write_pid(path: Path) -> None:
    """Writes our process id, so that whoever looks finds it whole or not at all."""
    text = f"{os.getpid()}\n"
    try:
        replace_file(path, text.encode(), 0o644)
    except PermissionError:
        # Only the file itself is ours to write.
        path.write_text(text, "ascii")
