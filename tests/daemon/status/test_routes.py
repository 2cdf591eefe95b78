"""The status page of a daemon, without a browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gitaly_py.daemon.status.snapshot import Snapshot
from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.html import Document
from tests.support.metrics import free_port
from tests.support.smarthttp import FLUSH, begin_push
from tests.support.status import collect
from tests.support.status_page import always, showing, snapshot

PORT = free_port()
ORIGIN = f"http://127.0.0.1:{PORT}"
EXISTS = "RepositoryService/RepositoryExists"
NOON = 1_700_000_000.0

Answer = tuple[int, dict[str, str], str]


@pytest_asyncio.fixture(scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    extra = f'prometheus_listen_addr = "127.0.0.1:{PORT}"'
    started = Daemon(tmp_path_factory.mktemp("shown"), engine=engine, extra=extra).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def get(url: str) -> Answer:
    async with aiohttp.ClientSession() as client, client.get(url, allow_redirects=False) as answer:
        return answer.status, dict(answer.headers), await answer.text()


async def document(url: str) -> dict[str, Any]:
    status, _, text = await get(url)
    assert status == 200
    found: dict[str, Any] = json.loads(text)
    return found


async def status_when(port: int, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Asks until the condition holds; calls are reported just after they have ended."""
    async with asyncio.timeout(30):
        while not condition(found := await document(f"http://127.0.0.1:{port}/status.json")):
            await asyncio.sleep(0.1)
    return found


async def ask(daemon: Daemon, relative_path: str, correlation: str = "") -> None:
    request = RepositoryExistsRequest(
        repository=Repository(storage_name="default", relative_path=relative_path)
    )
    metadata = [("x-gitlab-correlation-id", correlation)] if correlation else []
    await daemon.stub(RepositoryServiceStub).RepositoryExists(request, metadata=metadata)


def calls(found: dict[str, Any], method: str) -> int:
    return sum(rpc["handled"] for rpc in found["rpcs"] if rpc["method"] == method)


async def test_the_root_leads_to_the_page(shown: Daemon) -> None:
    status, headers, _ = await get(f"{ORIGIN}/")

    assert (status, headers["Location"]) == (302, "/status")


async def test_metrics_are_where_they_were(shown: Daemon) -> None:
    status, headers, text = await get(f"{ORIGIN}/metrics")

    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert "grpc_server_started_total" in text


async def test_calls_are_counted_and_shown_with_their_repository(shown: Daemon) -> None:
    method = "/gitaly.RepositoryService/RepositoryExists"
    for number in range(3):
        await ask(shown, f"counted/{number}.git", f"counted-{number}")

    found = await status_when(PORT, lambda found: calls(found, method) >= 3)

    (rpc,) = [rpc for rpc in found["rpcs"] if rpc["method"] == method]
    assert rpc["codes"]["OK"] >= 3
    assert 0 < rpc["p50"] <= rpc["p95"] <= rpc["p99"]
    assert rpc["buckets"][-1] == [None, rpc["handled"]]
    slow = {call["correlation_id"]: call for call in found["slow_calls"]}
    assert (slow["counted-1"]["repository"], slow["counted-1"]["code"]) == ("default:counted/1.git", "OK")
    assert slow["counted-1"]["method"] == method
    assert 0 < slow["counted-1"]["seconds"] < 30
    assert abs(slow["counted-1"]["ended"] - found["taken"]) < 60

    _, _, text = await get(f"{ORIGIN}/status")
    page = Document(text)
    assert int(page.row("rpcs", EXISTS)["Calls"]) >= 3
    assert page.row("rpcs", EXISTS)["p50"].endswith("s")
    assert "default:counted/1.git" in [row["Repository"] for row in page.rows("slow_calls")]


async def test_the_worker_is_described(shown: Daemon) -> None:
    await ask(shown, "any.git")

    found = await status_when(PORT, lambda found: calls(found, "/gitaly.RepositoryService/RepositoryExists"))

    (worker,) = found["workers"]
    assert (worker["pid"], worker["state"], worker["restarts"]) == (shown.worker.pid, "serving", 0)
    assert worker["connections"] >= 1
    assert worker["calls"] == 0
    assert worker["rss_bytes"] > 2**20
    assert 0 <= found["taken"] - worker["started"] < 600
    assert found["git_version"]


async def test_storages_are_shown_with_those_that_are_gone(shown: Daemon) -> None:
    found = await document(f"{ORIGIN}/status.json")

    states = {storage["name"]: storage for storage in found["storages"]}
    assert list(states) == ["default", "other", "gone"]
    assert states["default"]["readable"]
    assert states["default"]["writable"]
    assert states["default"]["path"] == os.fspath(shown.storage)
    assert states["default"]["used"] > 0
    assert (states["gone"]["readable"], states["gone"]["used"]) == (False, None)


async def test_a_running_call_and_the_end_of_the_daemon_are_seen(new_daemon: NewDaemon) -> None:
    port = free_port()
    daemon = new_daemon(grace="30s", extra=f'prometheus_listen_addr = "127.0.0.1:{port}"').start()
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    call = begin_push(daemon.channel, repository_in(daemon.storage), [FLUSH[:2]], rest=rest)
    running = await status_when(port, lambda found: found["workers"][0]["calls"] == 1)

    daemon.send(signal.SIGTERM)
    stopping = await status_when(port, lambda found: found["workers"][0]["state"] == "draining")
    rest.set_result(FLUSH[2:])

    assert await collect(call) == []
    assert await asyncio.to_thread(daemon.wait) == 0
    assert running["workers"][0]["state"] == "serving"
    assert stopping["workers"][0]["calls"] == 1


async def test_limiters_are_listed_on_their_own() -> None:
    async with showing(always(snapshot(NOON, started=NOON - 60))) as origin:
        found = await document(f"{origin}/limits.json")

    assert list(found) == ["limiters"]
    packs, pushes = found["limiters"]
    assert packs == {
        "name": "packObjects",
        "limit": 3,
        "max_queue": 20,
        "keys": [
            {"key": "203.0.113.7", "running": 3, "waiting": 4, "oldest_wait": 2.31},
            {"key": "198.51.100.24", "running": 3, "waiting": 1, "oldest_wait": 0.42},
        ],
        "admitted": 18_204,
        "rejected": {"max_size": 31, "max_time": 4},
    }
    assert pushes["rejected"] == {}


async def test_a_daemon_without_limits_has_none_to_list(shown: Daemon) -> None:
    assert isinstance((await document(f"{ORIGIN}/limits.json"))["limiters"], list)


async def test_nothing_of_the_page_is_cached_or_taken_from_elsewhere(shown: Daemon) -> None:
    for path, kind in (("status", "text/html"), ("status.json", "application/json")):
        _, headers, _ = await get(f"{ORIGIN}/{path}")

        assert headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"].startswith("'sha256-")
        assert "unsafe" not in headers["Content-Security-Policy"]


async def test_every_table_has_a_caption_and_says_what_its_headings_are_of() -> None:
    async with showing(always(snapshot(NOON, started=NOON - 60))) as origin:
        _, _, text = await get(f"{origin}/status")

    page = Document(text)
    assert page.elements["table"] == page.elements["caption"] == 8
    assert set(page.scopes) == {"col", "row"}
    assert page.elements["h1"] == page.elements["main"] == 1


async def test_without_script_the_page_tells_totals_and_averages() -> None:
    async with showing(always(snapshot(NOON, started=NOON - 1000))) as origin:
        _, _, text = await get(f"{origin}/status")

    page = Document(text)
    merges = page.row("rpcs", "OperationService/UserMergeBranch")
    assert int(merges["Calls"]) == pytest.approx(400, rel=0.05)
    assert "since the start" in page.texts["rpcs-caption"]
    assert page.row("limiters", "packObjects")["Waiting"] == "5"
    assert page.row("limiters", "packObjects")["Rejected"] == "35"
    assert page.row("queues", "203.0.113.7")["Longest wait"] == "2.31 s"
    assert page.row("storages", "nfs")["State"] == "unreadable"
    assert page.row("workers", "3")["State"] == "draining"


async def test_markup_of_clients_is_text(shown: Daemon) -> None:
    path, correlation = '<script>document.title="owned"</script>.git', '"><img src=x onerror=alert(1)>'
    await ask(shown, path, correlation)

    await status_when(
        PORT, lambda found: correlation in [call["correlation_id"] for call in found["slow_calls"]]
    )
    _, _, text = await get(f"{ORIGIN}/status")
    page = Document(text)
    assert (page.elements["script"], page.elements["img"]) == (1, 0)
    (row,) = [row for row in page.rows("slow_calls") if row["Correlation id"] == correlation]
    assert row["Repository"] == f"default:{path}"


async def test_every_text_of_a_snapshot_is_escaped() -> None:
    evil = "<b class='x' onclick=\"y\">&amp;"
    made = snapshot(NOON, started=NOON - 60)
    (limiter, *_), (storage, *_), (call, *_) = made.limiters, made.storages, made.slow_calls
    poisoned = replace(
        made,
        version=evil,
        git_version=evil,
        limiters=[replace(limiter, name=evil, keys=[replace(limiter.keys[0], key=evil)], rejected={evil: 1})],
        storages=[replace(storage, name=evil, path=evil)],
        slow_calls=[replace(call, method=evil, repository=evil, code=evil, correlation_id=evil)],
    )

    async with showing(always(poisoned)) as origin:
        _, _, text = await get(f"{origin}/status")

    page = Document(text)
    assert page.elements["b"] == 0
    assert "onclick" not in page.attributes
    assert page.row("slow_calls", evil)["Repository"] == evil
    assert page.row("queues", evil)["Limiter"] == evil
    assert page.row("storages", evil)["Path"] == evil


async def test_an_empty_daemon_has_a_page(shown: Daemon) -> None:
    empty = Snapshot(NOON, "18.9.0", "", [], [], [], [], [])

    async with showing(always(empty)) as origin:
        status, _, text = await get(f"{origin}/status")
        found = await document(f"{origin}/status.json")

    page = Document(text)
    assert status == 200
    assert "No call has come in yet." in page.texts["rpcs"]
    assert page.rows("rpcs") == []
    assert (found["rpcs"], found["overall"]["p95"], found["caches"]["packs"]["share"]) == ([], None, None)


async def test_many_viewers_share_a_snapshot() -> None:
    from aiohttp import web

    from gitaly_py.daemon.status.routes import add_routes

    taken = []

    async def take() -> Snapshot:
        taken.append(1)
        await asyncio.sleep(0.05)
        return snapshot(NOON, started=NOON - 60)

    app = web.Application()
    add_routes(app, take, reused=3600)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        await asyncio.gather(*(get(f"{origin}/status.json") for _ in range(20)))
    finally:
        await runner.cleanup()
    assert len(taken) == 1
