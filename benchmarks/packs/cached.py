"""A pack that is in the cache, against a bare sendfile of the same bytes to the same client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.harness import Row
from benchmarks.packs.checking import checked
from benchmarks.packs.client import LARGE_WINDOW, SMALL_WINDOW, Load
from benchmarks.packs.repositories import large
from benchmarks.packs.requests import HTTP, SSH, clone, everything
from benchmarks.packs.rounds import alternating
from benchmarks.packs.stage import Stage

_TIME = 1 / 0.85
_CPU = 1.4
_TIME_OF_SMALL_WINDOW = 1 / 0.4


def figures(stage: Stage) -> Iterator[Row]:
    """One reader at a time."""
    size, fetches, rounds = (20, 10, 3) if stage.quick else (300, 4, 7)
    repo = stage.repositories.of(large(size))
    with stage.daemon() as daemon:
        path = stage.repositories.placed(repo, daemon.storage)
        http, ssh = (clone(path, everything(repo), path=rpc) for rpc in (HTTP, SSH))
        answer = checked(stage, daemon.address, http)
        checked(stage, daemon.address, ssh)
        with stage.bare(answer) as bare, stage.bare(answer, stage.root / "bare.sock") as bare_unix:
            ours = Load(daemon.address, [http] * fetches)
            theirs = replace(ours, address=bare.address, bare=bare.size)
            wide, narrow, shell, unix, plain, plain_unix = alternating(
                stage,
                rounds,
                [
                    (daemon, replace(ours, window=LARGE_WINDOW)),
                    (daemon, replace(ours, window=SMALL_WINDOW)),
                    (daemon, replace(ours, requests=[ssh] * fetches)),
                    (daemon, replace(ours, address=daemon.unix)),
                    (bare, theirs),
                    (bare_unix, replace(theirs, address=bare_unix.address)),
                ],
            )
    for name, found, reference, time, cpu in (
        ("window 16 MiB", wide, plain, _TIME, _CPU),
        ("window 256 KiB", narrow, plain, _TIME_OF_SMALL_WINDOW, None),
        ("over SSH", shell, plain, None, None),
        ("unix socket", unix, plain_unix, None, None),
    ):
        title = f"cached {size} MB, {name}"
        yield Row(f"{title}: time a GB (sendfile)", found.time_of_gb, reference.time_of_gb, "s", time)
        yield Row(f"{title}: CPU a GB (sendfile)", found.cpu_of_gb, reference.cpu_of_gb, "s", cpu)
    yield Row(f"cached {size} MB: CPU of the client (sendfile)", wide.client_cpu, plain.client_cpu, "s")
