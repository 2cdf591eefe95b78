"""The status page in a browser, once its script has run."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from gitaly_py.daemon.status.cards import cards
from gitaly_py.daemon.status.figures import figures
from gitaly_py.daemon.status.snapshot import Snapshot
from gitaly_py.daemon.status.tables import tables
from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.telemetry.tasks import end_all, spawn
from tests.daemon.conftest import NewDaemon
from tests.support.chromium import Visit, needs_chromium, visit
from tests.support.daemon import Daemon
from tests.support.html import Document
from tests.support.metrics import free_port
from tests.support.status_page import busy, families, showing, snapshot

pytestmark = needs_chromium

PORT = free_port()
ORIGIN = f"http://127.0.0.1:{PORT}"
EXISTS = "RepositoryService/RepositoryExists"

# Of the page's timers; a hundred polls take a few seconds.
LONG = 200
SHORT = 20

EVIL = [
    '<script>document.title="owned"</script>.git',
    '</script><script>document.title="owned"</script>',
    "<img src=/owned onerror=\"document.title='owned'\">",
    '"><svg onload="document.title=\'owned\'"></svg>',
    "&lt;b&gt;&amp;quot;",
]


@pytest_asyncio.fixture(scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    extra = f'prometheus_listen_addr = "127.0.0.1:{PORT}"'
    started = Daemon(tmp_path_factory.mktemp("shown"), engine=engine, extra=extra).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def ask(daemon: Daemon, relative_path: str, correlation: str) -> None:
    repository = Repository(storage_name="default", relative_path=relative_path)
    await daemon.stub(RepositoryServiceStub).RepositoryExists(
        RepositoryExistsRequest(repository=repository), metadata=[("x-gitlab-correlation-id", correlation)]
    )


@asynccontextmanager
async def steady_calls(daemon: Daemon) -> AsyncIterator[None]:
    """A call every few milliseconds while the block runs."""

    async def go_on() -> None:
        while True:
            await ask(daemon, "steady.git", "steady")
            await asyncio.sleep(0.005)

    owner: set[asyncio.Task[None]] = set()
    spawn(go_on(), name="steady calls", owner=owner)
    try:
        yield
    finally:
        await end_all(owner)


def assert_well_behaved(visited: Visit, origin: str) -> None:
    """The script ran to its end, and the page asked its own daemon for its own figures only."""
    assert set(visited.requests) == {f"{origin}/status.json"}
    for sign in ("Content Security Policy", "Uncaught", "Refused to"):
        assert sign not in visited.console


async def test_rates_and_latencies_appear_once_calls_are_made(new_daemon: NewDaemon) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    daemon = new_daemon(extra=f'prometheus_listen_addr = "127.0.0.1:{port}"').start()

    async with steady_calls(daemon):
        visited = await visit(f"{origin}/status", seconds=LONG)

    page = Document(visited.dom)
    row = page.row("rpcs", EXISTS)
    assert re.search(r"in the last \d+ s", page.texts["rpcs-caption"])
    assert float(row["Calls/s"]) > 0
    assert int(row["Calls"].replace(",", "")) > 0
    assert row["p95"].endswith("s")
    assert "state" not in page.texts
    assert page.elements["polyline"] == 1
    assert "points" in page.attributes
    assert_well_behaved(visited, origin)


async def test_markup_of_clients_is_shown_as_text(shown: Daemon) -> None:
    """Also in the page as it comes, which the browser would otherwise complain about."""
    for number, path in enumerate(EVIL):
        await ask(shown, path, f"<i>{number}</i>{path}")

    visited = await visit(f"{ORIGIN}/status", seconds=SHORT)

    page = Document(visited.dom)
    shown_paths = {row["Repository"]: row["Correlation id"] for row in page.rows("slow_calls")}
    for number, path in enumerate(EVIL):
        assert shown_paths[f"default:{path}"] == f"<i>{number}</i>{path}"
    assert "<title>Gitaly status</title>" in visited.dom
    assert (page.elements["script"], page.elements["img"], page.elements["i"]) == (1, 0, 0)
    assert page.attributes.isdisjoint({"onerror", "onload"})
    assert_well_behaved(visited, ORIGIN)


async def test_the_script_writes_the_texts_of_the_page_and_figures_of_the_last_minute() -> None:
    visited, shown = await watched(step=30.0)

    page = Document(visited.dom)
    now = next(found for found in shown if page.texts["taken"] == clock(found))
    earlier = next(found for found in shown if found.taken == now.taken - 60)
    expected = {table.name: table for table in tables(now, figures(now.families))}
    for name, table in expected.items():
        if name != "rpcs":
            found = [list(row.values()) for row in page.rows(name)]
            assert found == [[cell.text for cell in row] for row in table.rows]
    assert "in the last 60 s" in page.texts["rpcs-caption"]
    assert [list(row.values()) for row in page.rows("rpcs")] == lately(now, earlier)
    for card in cards(now, figures(now.families)):
        if card.name not in ("rate", "latency", "errors"):
            assert card.value in page.texts[f"card-{card.name}"]
    assert_well_behaved(visited, visited.requests[0].removesuffix("/status.json"))


def clock(found: Snapshot) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(found.taken))


async def watched(step: float) -> tuple[Visit, list[Snapshot]]:
    """A daemon whose snapshots lie `step` seconds apart, and those that were taken."""
    take = busy(age=10_000, step=step)
    taken: list[Snapshot] = []

    async def recorded() -> Snapshot:
        # Whole seconds, so that the differences are exact.
        found = await take()
        first = taken[0].taken if taken else float(int(found.taken))
        taken.append(replace(found, taken=first + len(taken) * step))
        return taken[-1]

    async with showing(recorded) as origin:
        return await visit(f"{origin}/status", seconds=SHORT), taken


def lately(now: Snapshot, earlier: Snapshot) -> list[list[str]]:
    """The table of a daemon that started a minute ago and has had the calls of that minute only."""
    calls = figures(now.families), figures(earlier.families)
    before = {rpc.method: rpc for rpc in calls[1].rpcs}
    rpcs = []
    for rpc in calls[0].rpcs:
        old = before[rpc.method]
        rpcs.append(
            replace(
                rpc,
                started=rpc.started - old.handled,
                codes={code: count - old.codes.get(code, 0) for code, count in rpc.codes.items()},
                seconds=rpc.seconds - old.seconds,
                buckets=[
                    (bound, count - less)
                    for (bound, count), (_, less) in zip(rpc.buckets, old.buckets, strict=True)
                ],
            )
        )
    worker = replace(now.workers[0], started=now.taken - 60)
    of_a_minute = replace(now, workers=[worker])
    table = tables(of_a_minute, replace(calls[0], rpcs=rpcs))[0]
    return [[cell.text for cell in row] for row in table.rows]


async def test_a_daemon_that_started_anew_has_no_negative_rates() -> None:
    ages = iter(
        [*(5000.0 + 2 * number for number in range(5)), *(10.0 + 2 * number for number in range(1000))]
    )
    began = time.time()
    taken: list[float] = []

    async def take() -> Snapshot:
        taken.append(began + 2 * len(taken))
        return replace(snapshot(taken[-1], started=began - 10), families=families(next(ages)))

    async with showing(take) as origin:
        visited = await visit(f"{origin}/status", seconds=SHORT)

    page = Document(visited.dom)
    assert len(taken) > 7
    assert float(page.row("rpcs", "CommitService/FindCommit")["Calls/s"]) > 100
    assert not [row for row in page.rows("rpcs") if row["Calls/s"].startswith("-")]


async def test_a_daemon_that_does_not_answer_any_longer_is_said_to() -> None:
    answers = iter(range(4))

    async def take() -> Snapshot:
        if next(answers, None) is None:
            raise OSError("gone")
        return snapshot(time.time(), started=time.time() - 60)

    async with showing(take) as origin:
        visited = await visit(f"{origin}/status", seconds=SHORT)

    page = Document(visited.dom)
    assert "does not answer" in page.texts["state"]
    assert page.row("limiters", "packObjects")["Waiting"] == "5"
