"""The reference of the clone benchmarks: git's own `http-backend` behind a small HTTP server.

`python -m benchmarks.http_backend ROOT` serves the repositories below ROOT on a free port of 127.0.0.1,
which it prints. Each request is a thread and a `git http-backend`, whose output the kernel moves from its
pipe to the socket (splice), so that the server costs as little as a web server in C would.
"""

from __future__ import annotations

import fcntl
import http.server
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from gitaly_py.git.commands import COMMANDS, global_config
from gitaly_py.git.version import parse_version
from tests.support.repositories import ENVIRONMENT, GIT

_PIPE_BYTES = 1 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    """One request by the rules of CGI. The end of the answer is the end of its connection."""

    protocol_version = "HTTP/1.1"
    environment: ClassVar[Mapping[str, str]] = {}

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""

    def _serve(self, body: bytes) -> None:
        self.close_connection = True
        line = [GIT, "http-backend"]
        environment = {**self.environment, **self._variables(len(body))}
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            with child.stdin as stdin:
                stdin.write(body)
            output = child.stdout.fileno()
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self.connection.sendall(_head(output))
            while os.splice(output, self.connection.fileno(), _PIPE_BYTES):
                pass

    def _variables(self, length: int) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        return {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            data = b"".join(self._chunks())
        else:
            data = self.rfile.read(int(self.headers["Content-Length"]))
        return zlib.decompress(data, wbits=31) if self.headers.get("Content-Encoding") == "gzip" else data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _head(output: int) -> bytes:
    """Status line and headers, made of what a CGI program begins its output with."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = os.read(output, 1)  # one at a time: what follows is to be spliced
        if not byte:
            raise ConnectionError("git http-backend has ended early")
        head += byte
    status = b"200 OK"
    lines = []
    for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = value.strip()
        else:
            lines.append(line)
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"Connection: close", b"\r\n"))


def environment(root: str) -> dict[str, str]:
    """Variables for `git http-backend`: what to serve, and what the daemon configures `upload-pack` with."""
    version = subprocess.run([GIT, "version"], capture_output=True, check=True, text=True).stdout
    number = parse_version(version.split()[2])
    pairs = [*global_config(number), *COMMANDS["upload-pack"].config()]
    keys = {f"GIT_CONFIG_KEY_{index}": key for index, (key, _) in enumerate(pairs)}
    values = {f"GIT_CONFIG_VALUE_{index}": value for index, (_, value) in enumerate(pairs)}
    serving = {"GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_COUNT": str(len(pairs))}
    return {**ENVIRONMENT, **keys, **values, **serving}


@contextmanager
def running_http_backend(root: Path) -> Iterator[tuple[int, str]]:
    """Serves the repositories below `root` from a process of its own: its id and its URL."""
    line = [sys.executable, "-m", "benchmarks.http_backend", str(root)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main(root: str) -> None:
    Handler.environment = environment(root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
