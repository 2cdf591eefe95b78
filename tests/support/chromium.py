"""Chromium without a window: what a page is once its script has run, how it looks, what it asks for."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.peers import needs, run

needs_chromium = needs("chromium", "chromium")

SECONDS = 120

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


class Visit(NamedTuple):
    """A page that was looked at.

    dom: of the document, as HTML. requests: the URLs that it asked for. console: what it wrote, and which of
    its wishes the browser refused.
    """

    dom: str
    requests: list[str]
    console: str


async def visit(url: str, *, seconds: int) -> Visit:
    """Opens a page and lets `seconds` of the time of its timers pass, which takes much less."""
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        log = Path(folder) / "net.json"
        finished = await run(
            "chromium",
            *_OPTIONS,
            f"--user-data-dir={folder}/profile",
            f"--log-net-log={log}",
            "--enable-logging=stderr",
            f"--virtual-time-budget={seconds * 1000}",
            "--dump-dom",
            url,
            seconds=SECONDS,
        )
        assert finished.status == 0, finished.stderr
        return Visit(finished.stdout.decode(), _requests(log), finished.stderr)


async def screenshot(url: str, path: Path, *, seconds: int, width: int, height: int) -> None:
    """Writes how a page looks after `seconds` of its timers' time, in pixels as a PNG."""
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        finished = await run(
            "chromium",
            *_OPTIONS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--virtual-time-budget={seconds * 1000}",
            f"--screenshot={path}",
            url,
            seconds=SECONDS,
        )
    assert finished.status == 0, finished.stderr


def _requests(log: Path) -> list[str]:
    """Every URL that a document asked for; the browser's own requests have no initiator."""
    recorded: dict[str, Any] = json.loads(log.read_text())
    kinds = recorded["constants"]["logEventTypes"]
    found = []
    for event in recorded["events"]:
        parameters = event.get("params", {})
        starts = event["type"] == kinds["URL_REQUEST_START_JOB"] and "url" in parameters
        if starts and parameters.get("initiator", "not an origin") != "not an origin":
            found.append(str(parameters["url"]))
    return found
