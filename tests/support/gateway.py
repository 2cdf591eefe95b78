"""A real gateway process for tests: `gitaly-py gateway` with a configuration made for it."""

from __future__ import annotations

import base64
import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.daemon import Daemon

START_SECONDS = 90
STOP_SECONDS = 30

TOKENS = """
[[token]]
name = "rosa"
token = "rosas-secret"
write = true
[[token]]
name = "reader"
token = "readers-secret"
[[token]]
name = "robot"
token = "robots-secret"
read = false
write = true
"""


class Response(NamedTuple):
    """An answer. headers: by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Gateway:
    """A gateway on a free port of 127.0.0.1 in front of `daemon`.

    extra: TOML before the first table. tables: TOML at the end, by default the tokens above.
    """

    def __init__(self, root: Path, daemon: Daemon, *, extra: str = "", tables: str = TOKENS) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.log = root / "gateway.log"
        self.port = 0
        self._config = root / "gateway.toml"
        self._config.write_text(
            f'listen_addr = "127.0.0.1:0"\ngitaly_address = "unix:{daemon.socket}"\n'
            f'gitaly_token = "{daemon.token}"\n{extra}\n{tables}'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Gateway:
        """Starts the process and waits until it listens."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gitaly_py", "gateway", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.port:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the gateway did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
            for entry in self.entries():
                if entry["msg"] == "listening at address":
                    self.port = int(entry["address"].rpartition(":")[2])
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, path: str, *, user: str = "rosa", password: str | None = None) -> str:
        """The URL of a repository, with credentials; user: empty for none."""
        credentials = f"{user}:{password or user + 's-secret'}@" if user else ""
        return f"http://{credentials}127.0.0.1:{self.port}/{path}"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        user: str = "rosa",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Makes one request; the path goes out as it is, a body of pieces in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        credentials = {"Authorization": basic(user)} if user else {}
        try:
            connection.request(
                method,
                path,
                body,
                {**credentials, **(headers or {})},
                encode_chunked=not isinstance(body, bytes | None),
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, found, response.read())
        finally:
            connection.close()

    def entries(self) -> Iterator[dict[str, str]]:
        """The log so far."""
        for line in self.log.read_text().splitlines(keepends=True):
            if line.startswith("time=") and line.endswith("\n"):
                yield dict(field.split("=", 1) for field in shlex.split(line))

    def requests(self, path: str) -> list[dict[str, str]]:
        """The log entries of requests for `/<path>`."""
        return [
            entry for entry in self.entries() if entry["msg"] == "request" and entry["path"] == f"/{path}"
        ]

    def accepts(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def terminate(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """The exit status."""
        assert self._process is not None
        return self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.terminate()
        return self.wait()


def basic(user: str, password: str | None = None) -> str:
    """The header's value for one of the tokens above, or for another password."""
    pair = f"{user}:{password or user + 's-secret'}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
