"""A real Prometheus with the files of `deploy/prometheus`, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.support.metrics import free_port
from tests.support.peers import SECONDS, needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FILES = DEPLOY / "prometheus"
EXAMPLE_TARGET = "gitaly.example.com:9236"

needs_prometheus = needs("prometheus", "prometheus")


class QueryFailed(Exception):
    """Prometheus refuses a request."""


class Prometheus:
    """One that scrapes `target` (`host:port`) each second and evaluates the rules as often.

    root: an empty folder for its configuration, rules and data.
    """

    def __init__(self, root: Path, target: str) -> None:
        self._root = root
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("recording.yml", "alerts.yml"):
            shutil.copy(FILES / name, root / name)
        example = (FILES / "prometheus.yml").read_text()
        assert EXAMPLE_TARGET in example
        config = example.replace(EXAMPLE_TARGET, target).replace("_interval: 15s", "_interval: 1s")
        (root / "prometheus.yml").write_text(config)

    async def start(self) -> None:
        """Starts it and waits until it answers."""
        line = [
            "prometheus",
            f"--config.file={self._root}/prometheus.yml",
            f"--storage.tsdb.path={self._root}/data",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._root / "log").open("wb") as log:
            self._process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        await self.when("status/runtimeinfo", lambda _: True)

    def stop(self) -> int | None:
        """Ends it; the exit status, which is None for one that never ran."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    async def get(self, path: str, **parameters: str) -> Any:
        """What its API answers. Raises QueryFailed, or OSError while it can't answer."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}"
        return await asyncio.to_thread(_answer, url)

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now. Raises QueryFailed."""
        data = await self.get("query", query=expression)
        return list(data["result"])

    async def when(self, path: str, condition: Callable[[Any], Any], **parameters: str) -> Any:
        """Asks until it runs and the condition holds for its answer."""
        data: Any = None
        for _ in range(SECONDS * 10):
            if self._process is None or self._process.poll() is not None:
                break
            try:
                data = await self.get(path, **parameters)
            except OSError:
                data = None
            if data is not None and condition(data):
                return data
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path} {parameters}: {data}\n{(self._root / 'log').read_text()}")

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule, once each was evaluated."""

        def evaluated(data: Any) -> bool:
            found = _rules(data)
            return bool(found) and all(rule["health"] != "unknown" for rule in found)

        return _rules(await self.when("rules", evaluated))


def _rules(data: Any) -> list[dict[str, Any]]:
    return [rule for group in data["groups"] for rule in group["rules"]]


def _answer(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        with error:
            raise QueryFailed(error.read().decode()) from error
