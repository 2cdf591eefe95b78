"""Reloads, workers that are killed, and coordinators that are, while clients call on and on.

Each round sends SIGHUP and waits until new workers have taken over and the old ones have ended. Every other
round then kills a worker with SIGKILL and waits for the next, the others do so with the coordinator. What is
under way in a killed worker is lost and has a row of its own: calls that are over without an answer within a
moment after a kill, of which there are at most as many as clients for each kill. Everything else that fails
is a fault.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from benchmarks.harness import Row
from benchmarks.operations.calls import FIND_COMMIT, find_commit
from benchmarks.operations.fleet import Fleet, fleet, limit
from benchmarks.operations.reconnecting import Client, Outcomes
from benchmarks.rpc.connection import Broken

QUICK_ROUNDS, ROUNDS = 3, 50

_WORKERS = 2
_CLIENTS = 8
_AFTER_KILL = 0.25
_PATIENCE = 60.0
_STEADY_SECONDS = 0.6


def figures(quick: bool, rounds: int = 0) -> Iterator[Row]:
    """What became of the calls, and what is left. rounds: how many, 0 for the usual number."""
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    kills: list[float] = []
    with fleet(workers=_WORKERS, tables=limit(FIND_COMMIT, 1000)) as measured:
        _forget_missing_storage(measured)
        before, memory = _count(measured), measured.memory()
        with _calling(measured) as outcomes:
            time.sleep(_STEADY_SECONDS)
            for number in range(rounds):
                _reload(measured)
                if number % 2 == 0:
                    kills.append(_kill(measured))
                    time.sleep(_STEADY_SECONDS)
                else:
                    _kill_coordinator(measured)
        _until(lambda: _count(measured) <= before, "former processes are left")
        after, left = _count(measured), measured.memory()
        time.sleep(_STEADY_SECONDS)
        slots = sum(measured.slots())
    name = f"{rounds} reloads, {len(kills)} workers and {rounds - len(kills)} coordinators killed"
    yield from _rows(name, outcomes, kills)
    yield Row("  slots in use afterwards", slots, 0, "")
    yield Row("  processes afterwards (before)", after, before, "", 1.0)
    yield Row("  memory afterwards (before)", left / 1e6, memory / 1e6, "MB")


def _rows(name: str, outcomes: list[Outcomes], kills: list[float]) -> Iterator[Row]:
    lost = [moment for each in outcomes for moment in each.lost]
    in_killed = sum(any(0 <= moment - kill <= _AFTER_KILL for kill in kills) for moment in lost)
    refused = [text for each in outcomes for text in each.refused]
    calls = sum(each.answered for each in outcomes) + len(lost) + len(refused)
    for text in sorted(set(refused)):
        print(f"an answer of {name}: {text}")
    yield Row(f"{name}: calls that failed (all)", len(lost) - in_killed + len(refused), calls, "")
    yield Row("  lost in killed workers (clients x kills)", in_killed, len(kills) * _CLIENTS, "", 1.0)
    yield Row("  made again, since not taken (all)", sum(each.again for each in outcomes), calls, "")
    yield Row("  connections (clients)", sum(each.connections for each in outcomes), _CLIENTS, "")
    longest = max(each.longest for each in outcomes)
    yield Row("  longest call (reference: 1 s)", longest, 1.0, "s")


@contextmanager
def _calling(measured: Fleet) -> Iterator[list[Outcomes]]:
    """Clients call while the block runs; what they met."""
    stop = threading.Event()
    clients = [Client(find_commit(measured), stop) for _ in range(_CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield [client.outcomes for client in clients]
    finally:
        stop.set()
        for client in clients:
            client.join()


def _reload(measured: Fleet) -> None:
    former = {worker.pid for worker in measured.daemon.workers}
    measured.daemon.send(signal.SIGHUP)
    _until(lambda: _serve_without(measured, former), "a reload does not come to its end")


def _kill(measured: Fleet) -> float:
    """Kills a worker and waits for another in its place; the moment of the kill."""
    victim = measured.daemon.workers[0]
    moment = time.monotonic()
    victim.kill()
    _until(lambda: _serve_without(measured, {victim.pid}), "a killed worker is not replaced")
    return moment


def _kill_coordinator(measured: Fleet) -> None:
    """Kills the coordinator and waits for another in its place."""
    former = measured.coordinator
    psutil.Process(former).kill()
    _until(lambda: measured.coordinator not in (former, 0), "a killed coordinator is not replaced")


def _serve_without(measured: Fleet, former: set[int]) -> bool:
    """Whether all workers serve and none of the former ones is left."""
    workers = measured.document("status.json")["workers"]
    serving = [worker for worker in workers if worker["state"] == "serving"]
    return len(serving) == len(workers) == _WORKERS and not former & {worker["pid"] for worker in workers}


def _count(measured: Fleet) -> int:
    """Processes of the daemon, those of git included."""
    with suppress(psutil.NoSuchProcess):
        return 1 + len(psutil.Process(measured.daemon.pid).children(recursive=True))
    raise Broken("the daemon is gone")


def _forget_missing_storage(measured: Fleet) -> None:
    """Leaves the storage that is gone out of the configuration, which could not be loaded again."""
    path = measured.daemon.config
    gone = f'[[storage]]\nname = "gone"\npath = "{measured.daemon.root}/gone"\n'
    path.write_text(path.read_text().replace(gone, ""))


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    """Waits for something of the daemon. Raises Broken when it takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise Broken(otherwise)
        time.sleep(0.05)
