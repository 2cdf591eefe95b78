from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import jwt
import pytest

from tests.support.commands import Outcome, gitaly_py
from tests.support.configuration import valid_toml, without

KEY = b"a secret of thirty-two bytes, or more"


@contextmanager
def rails(status: int, answer: dict[str, object]) -> Iterator[tuple[str, list[str]]]:
    """A Rails app that answers everything alike; gives its address and the tokens it was shown."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(f"{self.path} {self.headers['Gitlab-Shell-Api-Request']}")
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing: standard error is under test."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tokens
        server.shutdown()


def check(folder: Path, url: str, more: str = "") -> Outcome:
    toml = without(valid_toml(folder), "gitlab.url")
    (folder / "secret").write_bytes(KEY + b"\n")
    (folder / "config.toml").write_text(f'{toml}gitlab.url = "{url}"\n{more}\n')
    return gitaly_py("check", f"{folder}/config.toml")


@pytest.mark.parametrize("redis", [True, False])
def test_check_prints_what_gitlab_says(tmp_path: Path, redis: bool) -> None:
    answer = {"gitlab_version": "18.9.0", "gitlab_rev": "abc", "api_version": "v4", "redis": redis}

    with rails(200, answer) as (url, tokens):
        outcome = check(tmp_path, url)

    assert outcome == (
        0,
        "Checking GitLab API access: OK\n"
        "GitLab version: 18.9.0\nGitLab revision: abc\nGitLab Api version: v4\n"
        f"Redis reachable for GitLab: {'true' if redis else 'false'}\nOK\n",
        "",
    )
    path, _, token = tokens[0].partition(" ")
    assert path == "/api/v4/internal/check"
    assert jwt.decode(token, KEY, ["HS256"])["iss"] == "gitlab-shell"


def test_check_tells_of_a_refusal(tmp_path: Path) -> None:
    with rails(401, {"message": "authorization failed"}) as (url, _):
        status, stdout, stderr = check(tmp_path, url)

    log, error = stderr.splitlines()
    assert (status, stdout) == (1, "Checking GitLab API access: FAILED\n")
    assert error == "HTTP GET to GitLab endpoint /check failed: authorization failed"
    assert 'level=error msg="Internal API error" error="authorization failed" method=GET' in log
    assert f'status=401 url="{url}/api/v4/internal/check"' in log


def test_check_tells_when_nobody_answers(tmp_path: Path) -> None:
    status, stdout, stderr = check(tmp_path, "http+unix://%2Fnone")

    assert (status, stdout) == (1, "Checking GitLab API access: FAILED\n")
    assert stderr.endswith("HTTP GET to GitLab endpoint /check failed: Internal API unreachable\n")


def test_check_needs_the_secret(tmp_path: Path) -> None:
    toml = without(valid_toml(tmp_path), "gitlab.secret_file")
    (tmp_path / "config.toml").write_text(f'{toml}gitlab.secret_file = "/none"\n')

    assert gitaly_py("check", f"{tmp_path}/config.toml") == (
        1,
        "Checking GitLab API access: FAILED\n",
        "could not create GitLab API client: open /none: no such file or directory\n",
    )


def test_check_leaves_nothing_in_the_runtime_directory(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "gitaly-0").mkdir(parents=True)

    with rails(200, {}) as (url, _):
        status, _, stderr = check(tmp_path, url, f'runtime_dir = "{run}"')

    assert (status, stderr) == (0, "")
    assert list(run.iterdir()) == []


def test_check_needs_a_usable_runtime_directory(tmp_path: Path) -> None:
    assert check(tmp_path, "http://unused", 'runtime_dir = "/none"') == (
        1,
        "",
        "creating runtime directory: [Errno 2] No such file or directory: '/none'\n",
    )


def test_check_takes_one_argument() -> None:
    status, stdout, stderr = gitaly_py("check")

    assert (status, stderr) == (2, "error: invalid argument(s)\n")
    assert stdout.startswith("Usage: gitaly-py check")


def test_check_names_a_file_that_cannot_be_read() -> None:
    assert gitaly_py("check", "/none") == (
        1,
        "",
        'loading configuration "/none": open /none: no such file or directory\n',
    )
