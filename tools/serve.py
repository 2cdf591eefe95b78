"""`make serve`: the daemon and the gateway with a sample repository, to try things out.

Writes `var/config.toml` and `var/gateway.toml` when they are not there, and leaves them alone when they are.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
COMMAND = [sys.executable, "-m", "gitaly_py"]
START_SECONDS = 30
STOP_SECONDS = 70

DAEMON = """\
socket_path = "{var}/gitaly.socket"
listen_addr = "127.0.0.1:8075"
prometheus_listen_addr = "127.0.0.1:9236"
bin_dir = "{var}/bin"
runtime_dir = "{var}/run"

[[storage]]
name = "default"
path = "{var}/repositories"

[auth]
token = "{token}"

[logging]
format = "json"
"""

GATEWAY = """\
listen_addr = "127.0.0.1:8080"
gitaly_address = "unix:{var}/gitaly.socket"
gitaly_token = "{token}"
storage = "default"
anonymous_read = true
create_on_push = true

[[token]]
name = "dev"
token = "{password}"
write = true
"""

TRY = """
gitaly_py is running. Things to try:

  git clone http://{gateway}/sample.git
  git push http://dev:{password}@{gateway}/new.git main     (makes the repository)
  curl http://{metrics}/metrics

  gRPC address:     tcp://{grpc} and unix:{socket}   (token in {var}/config.toml)
  logs:             {var}/daemon.log, {var}/gateway.log

Ctrl-C ends it.
"""


def main() -> int:
    for folder in ("bin", "run", "repositories"):
        (VAR / folder).mkdir(parents=True, exist_ok=True)
    _write_configuration()
    daemon = _started("serve", "config.toml", "daemon.log", "Started Gitaly")
    try:
        _make_sample()
        gateway = _started("gateway", "gateway.toml", "gateway.log", "listening at address")
        try:
            print(_advice(), flush=True)
            return _wait(daemon, gateway)
        finally:
            _stop(gateway)
    finally:
        _stop(daemon)


def _write_configuration() -> None:
    config, gateway = VAR / "config.toml", VAR / "gateway.toml"
    if config.exists() and gateway.exists():
        return
    token, password = secrets.token_hex(16), secrets.token_hex(8)
    for path, template in ((config, DAEMON), (gateway, GATEWAY)):
        path.touch(mode=0o600)
        path.write_text(template.format(var=VAR, token=token, password=password))


def _started(command: str, config: str, log: str, ready: str) -> subprocess.Popen[bytes]:
    path = VAR / log
    with path.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, command, str(VAR / config)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    deadline = time.monotonic() + START_SECONDS
    while ready not in path.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(process)
            raise SystemExit(f"{command} did not start:\n{path.read_text()}")
        time.sleep(0.05)
    return process


def _make_sample() -> None:
    """Creates the sample over gRPC, as a client would, and fills it with the files of this project."""
    path = VAR / "repositories" / "sample.git"
    if path.exists():
        return
    create = ["repo", "create", "--config", str(VAR / "config.toml"), "--repository", "sample.git"]
    subprocess.run([*COMMAND, *create], check=True)
    work = VAR / "sample"
    identity = ["-c", "user.name=Sample", "-c", "user.email=sample@example.com"]
    git = ["git", "-C", str(work)]
    files = ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "gitaly_py"]
    present = [name for name in files if (ROOT / name).exists()]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(work)], check=True)
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in present), str(work)], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, *identity, "commit", "--quiet", "-m", "Begin the sample"], check=True)
    subprocess.run([*git, *identity, "tag", "-a", "-m", "The first release", "v1.0"], check=True)
    subprocess.run([*git, "push", "--quiet", "--mirror", str(path)], check=True)


def _advice() -> str:
    config = tomllib.loads((VAR / "config.toml").read_text())
    gateway = tomllib.loads((VAR / "gateway.toml").read_text())
    tokens = gateway.get("token") or [{"token": "none"}]
    return TRY.format(
        gateway=gateway["listen_addr"],
        password=tokens[0]["token"],
        metrics=config.get("prometheus_listen_addr", "(no metrics listener)"),
        grpc=config.get("listen_addr", "(no TCP listener)"),
        socket=config.get("socket_path", "(no socket)"),
        var=VAR,
    )


def _wait(*processes: subprocess.Popen[bytes]) -> int:
    """Waits for a signal, or for one of the processes to end by itself."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    while not stopped:
        if any(process.poll() is not None for process in processes):
            print("one of the two has ended; see the logs below var/", file=sys.stderr)
            return 1
        time.sleep(0.2)
    return 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
