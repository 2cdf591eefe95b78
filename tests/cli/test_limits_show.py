"""`gitaly-py limits show`: what limiters of a daemon do, from a server that tells it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.commands import Outcome, gitaly_py
from tests.support.metrics import free_port

REPLICATE = "perRPC/gitaly.RepositoryService/ReplicateRepository"
FETCH = "perRPC/gitaly.SmartHTTPService/PostUploadPackWithSidechannel"
STATE: dict[str, Any] = {
    "limiters": [
        {
            "name": REPLICATE,
            "limit": 1,
            "max_queue": 0,
            "keys": [],
            "admitted": 4,
            "rejected": {},
        },
        {
            "name": "packObjects",
            "limit": 2,
            "max_queue": 200,
            "keys": [{"key": "10.0.0.1", "running": 2, "waiting": 0, "oldest_wait": 0.0}],
            "admitted": 70,
            "rejected": {"max_size": 0, "max_time": 3},
        },
        {
            "name": FETCH,
            "limit": 10,
            "max_queue": 500,
            "keys": [
                {"key": "calm.git", "running": 3, "waiting": 0, "oldest_wait": 0.0},
                {"key": "busy.git", "running": 10, "waiting": 7, "oldest_wait": 12.5},
            ],
            "admitted": 1234,
            "rejected": {"max_time": 2, "max_size": 5},
        },
    ]
}


@contextmanager
def answering(answer: web.Response | None, port: int = 0) -> Iterator[str]:
    """A server on its own thread, by its URL; it gives `answer` for /limits.json, and nothing else."""
    loop = asyncio.new_event_loop()
    app = web.Application()

    async def limits(_: web.Request) -> web.Response:
        assert answer is not None
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    if answer is not None:
        app.router.add_get("/limits.json", limits)
    runner = web.AppRunner(app, access_log=None)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def state(document: object = STATE) -> web.Response:
    return web.json_response(document)


def show(*args: str) -> Outcome:
    return gitaly_py("limits", "show", *args)


def test_limiters_are_listed_by_pressure_with_their_fullest_keys() -> None:
    with answering(state()) as url:
        status, stdout, stderr = show("--url", url)

    assert (status, stderr) == (0, "")
    heading, *rows = [line.split() for line in stdout.splitlines()]
    assert " ".join(heading) == "LIMITER LIMIT QUEUE KEYS RUNNING WAITING OLDEST WAIT ADMITTED REFUSED"
    assert rows == [
        [FETCH, "10", "500", "2", "13", "7", "12.5", "s", "1234", "5", "max_size,", "2", "max_time"],
        ["busy.git", "10", "7", "12.5", "s"],
        ["calm.git", "3", "0", "0"],
        ["packObjects", "2", "200", "1", "2", "0", "0", "70", "3", "max_time"],
        ["10.0.0.1", "2", "0", "0"],
        [REPLICATE, "1", "no", "bound", "0", "0", "0", "0", "4", "0"],
    ]


def test_so_many_keys_as_are_asked_for() -> None:
    with answering(state()) as url:
        printed = show("--url", url, "--keys", "1").stdout

    assert "busy.git" in printed
    assert "calm.git" not in printed


def test_a_daemon_without_limiters() -> None:
    with answering(state({"limiters": []})) as url:
        assert show("--url", url) == (0, "no limiters\n", "")


def test_machines_get_what_the_daemon_says() -> None:
    with answering(state({**STATE, "more": 1})) as url:
        status, stdout, _ = show("--url", url + "/", "--json")

    assert (status, json.loads(stdout)) == (0, {**STATE, "more": 1})


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "localhost"])
def test_the_configuration_says_where_the_daemon_is(tmp_path: Path, host: str) -> None:
    port = free_port()
    config = tmp_path / "config.toml"
    config.write_text(f'prometheus_listen_addr = "{host}:{port}"\n')
    with answering(state(), port):
        assert show("--config", str(config)).stdout.startswith("LIMITER")


def test_a_configuration_without_a_listener(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    status, _, stderr = show("-c", str(tmp_path / "config.toml"))

    assert (status, "no prometheus_listen_addr" in stderr) == (1, True)


@pytest.mark.parametrize("args", [(), ("--config", "x", "--url", "y")])
def test_either_a_configuration_or_an_address_is_needed(args: tuple[str, ...]) -> None:
    assert show(*args) == (1, "", 'Either flag "config" or "url" has to be set\n')


def fails(reason: str, url: str) -> None:
    assert show("--url", url) == (1, "", f"{url}/limits.json: {reason}\n")


def test_a_daemon_that_is_not_there() -> None:
    fails("connection refused", f"http://127.0.0.1:{free_port()}")


def test_a_daemon_that_does_not_know_of_this() -> None:
    with answering(None) as url:
        fails("not found; a daemon of an earlier version does not tell", url)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("# HELP gitaly_x", "Invalid JSON: expected value at line 1 column 1"),
        ("[]", "Input should be an object"),
        ("{}", "Input should be a valid list"),
        ('{"limiters": [{"name": "x"}]}', "0.limit: Field required"),
    ],
)
def test_an_answer_that_is_something_else(body: str, reason: str) -> None:
    with answering(web.Response(text=body)) as url:
        status, _, stderr = show("--url", url)
    assert status == 1
    assert stderr.startswith(f"{url}/limits.json: not the state of limiters: {reason}")


def test_a_server_that_fails() -> None:
    with answering(web.Response(status=503)) as url:
        fails("status 503", url)


@pytest.mark.parametrize("url", ["localhost:9236", "file:///etc/hosts", "", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    status, stdout, stderr = show("--url", url)

    assert (status, stdout) == (1, "")
    assert stderr


def test_watching_goes_on_and_bears_a_daemon_that_is_away_for_a_while() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # A shell's background jobs ignore SIGINT, and so would everything they start.
    heeding = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program = f"{heeding} runpy.run_module('gitaly_py', run_name='__main__')"
    watcher = subprocess.Popen(
        [sys.executable, "-u", "-c", program, "limits", "show", "--url", url, "--watch", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    )
    assert watcher.stdout is not None
    assert watcher.stderr is not None
    try:
        assert watcher.stderr.readline() == f"{url}/limits.json: connection refused\n"
        with answering(state(), port):
            headings = 0
            while headings < 2:
                headings += watcher.stdout.readline().startswith("LIMITER")
    finally:
        watcher.send_signal(signal.SIGINT)
        _, errors = watcher.communicate(timeout=90)
    assert watcher.returncode == 1
    assert "Traceback" not in errors
