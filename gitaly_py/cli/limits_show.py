"""`gitaly-py limits show`: what the limiters of a running daemon do at the moment."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Final

import click

from gitaly_py.cli.commands import Failure
from gitaly_py.cli.live_limits import Unreachable, fetched, limiters_address
from gitaly_py.cli.target import loaded
from gitaly_py.limits.state import KeyState, LimiterState
from gitaly_py.planning.text import aligned, seconds

_HEADINGS: Final = (
    "LIMITER", "LIMIT", "QUEUE", "KEYS", "RUNNING", "WAITING", "OLDEST WAIT", "ADMITTED", "REFUSED",
)  # fmt: skip


@click.command("show")
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration of the daemon.")
@click.option("--url", default="", metavar="URL", help="Where its Prometheus listener is, without a path.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--keys", default=3, show_default=True, help="Show so many keys a limiter, the fullest ones.")
@click.option(
    "--watch", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Again and again."
)
def command(*, config: str, url: str, as_json: bool, keys: int, watch: float | None) -> None:
    """Prints what runs and waits in a daemon, and how many got a slot or none since it started.

    The limiters with most pressure come first: those with most waiting, then the fullest ones.
    """
    if bool(config) == bool(url):
        raise Failure('Either flag "config" or "url" has to be set')
    address = url or limiters_address(loaded(config))
    if not address:
        raise Failure("the configuration has no prometheus_listen_addr, which is where limiters show")
    while True:
        _print(address, as_json=as_json, keys=keys, is_last=watch is None)
        if watch is None:
            return
        time.sleep(watch)


def _print(address: str, *, as_json: bool, keys: int, is_last: bool) -> None:
    """What a daemon says; if there will be another time, that it does not say anything is only told."""
    try:
        document = fetched(address)
    except Unreachable as error:
        if is_last:
            raise Failure(str(error)) from error
        click.echo(str(error), err=True)
        return
    if as_json:
        click.echo(json.dumps(document.source, ensure_ascii=False))
        return
    if not is_last:
        click.clear()
    for line in _lines(document.limiters, keys):
        click.echo(line)


def _lines(limiters: Sequence[LimiterState], keys: int) -> Iterator[str]:
    if not limiters:
        yield "no limiters"
        return
    rows: list[Sequence[str]] = [_HEADINGS]
    for limiter in sorted(limiters, key=_pressure, reverse=True):
        rows.append(_limiter_row(limiter))
        fullest = sorted(limiter.keys, key=_key_pressure, reverse=True)[:keys]
        rows.extend(_key_row(key) for key in fullest)
    yield from aligned(rows)


def _pressure(limiter: LimiterState) -> tuple[int, float, int]:
    fullest = max((key.running for key in limiter.keys), default=0)
    share = fullest / limiter.limit if limiter.limit > 0 else 0.0
    return sum(key.waiting for key in limiter.keys), share, sum(limiter.rejected.values())


def _key_pressure(key: KeyState) -> tuple[int, int]:
    return key.waiting, key.running


def _limiter_row(limiter: LimiterState) -> Sequence[str]:
    keys = limiter.keys
    return (
        limiter.name,
        str(limiter.limit) if limiter.limit > 0 else "none",
        str(limiter.max_queue) if limiter.max_queue > 0 else "no bound",
        str(len(keys)),
        str(sum(key.running for key in keys)),
        str(sum(key.waiting for key in keys)),
        seconds(max((key.oldest_wait for key in keys), default=0.0)),
        str(limiter.admitted),
        _refused(limiter),
    )


def _key_row(key: KeyState) -> Sequence[str]:
    counts = str(key.running), str(key.waiting), seconds(key.oldest_wait)
    return (f"  {key.key}", "", "", "", *counts, "", "")


def _refused(limiter: LimiterState) -> str:
    reasons = [f"{count} {reason}" for reason, count in sorted(limiter.rejected.items()) if count]
    return ", ".join(reasons) or "0"
