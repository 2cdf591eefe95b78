"""Many clients clone the same repository at once, and nobody has done so before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.harness import Row
from benchmarks.packs.checking import checked
from benchmarks.packs.client import Load
from benchmarks.packs.repositories import large
from benchmarks.packs.requests import Request, clone, everything
from benchmarks.packs.rounds import measured
from benchmarks.packs.stage import Stage
from benchmarks.packs.upload_pack import discarded

_KILOBYTES = 256
"""Growth of the server's memory for a client that is asked for at most."""


def figures(stage: Stage) -> Iterator[Row]:
    """A connection each, all on one, and with some that hang up or stall."""
    size, clients = (20, 20) if stage.quick else (300, 100)
    repo = stage.repositories.of(large(size))
    with stage.daemon() as daemon:
        cold, other, restless = (
            clone(stage.repositories.placed(repo, daemon.storage), everything(repo)) for _ in range(3)
        )
        generation = discarded(repo, cold)
        before = daemon.git.count("pack-objects")
        load = Load(daemon.address, [cold] * clients, clients=clients)
        apart = measured(stage, daemon, load)
        started = daemon.git.count("pack-objects") - before
        together = measured(stage, daemon, replace(load, requests=[other] * clients, connections=1))
        disturbed = measured(stage, daemon, replace(load, requests=_some_restless(restless, clients)))
        with stage.bare(checked(stage, daemon.address, cold)) as bare:
            plain = measured(stage, bare, replace(load, address=bare.address, bare=bare.size))
    title = f"crowd of {clients}, {size} MB"
    whole = generation.cpu + 2 * plain.cpu
    yield Row(f"{title}: pack-objects processes (1)", started, 1, "", 1.0)
    yield Row(f"{title}: CPU (1 git upload-pack + 2 sendfile)", apart.cpu, whole, "s", 1.0)
    served = apart.cpu - generation.cpu
    yield Row(f"{title}: CPU without generation (sendfile)", served, plain.cpu, "s", 1.5)
    growth = apart.memory / clients / 1e3
    yield Row(f"{title}: memory growth a client ({_KILOBYTES} KB)", growth, _KILOBYTES, "KB", 1.0)
    yield Row(f"{title}: time (sendfile)", apart.elapsed, plain.elapsed, "s")
    both = apart.cpu + apart.client_cpu, plain.cpu + plain.client_cpu
    yield Row(f"{title}: CPU, clients' included (sendfile)", *both, "s")
    served = together.cpu - generation.cpu
    yield Row(f"{title}, one connection: CPU without generation (sendfile)", served, plain.cpu, "s")
    served = (disturbed.cpu - generation.cpu) / disturbed.received * plain.received
    yield Row(f"{title}, a fifth leaves: CPU without generation (sendfile)", served, plain.cpu, "s")


def _some_restless(request: Request, clients: int) -> list[Request]:
    """The first of every ten hangs up after a megabyte, and the second takes nothing more after two."""
    leaving, stalling = replace(request, leave=10**6), replace(request, stall=2 * 10**6)
    return [{0: leaving, 1: stalling}.get(number % 10, request) for number in range(clients)]
