"""`gitaly-py rpcs`: which RPCs this daemon serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from gitaly_py.rpc.methods import Method, all_methods
from gitaly_py.services import handlers

_HEADINGS = ("SERVICE", "RPC", "KIND", "OPERATION", "PRESENT")


@click.command("rpcs")
@click.option("--missing", is_flag=True, help="Only those that are not served.")
def command(missing: bool) -> None:
    """Lists every RPC of the API: service, name, kind, operation, and whether this daemon serves it."""
    present = set(handlers())
    rows = [_row(method, method.path in present) for method in all_methods()]
    shown = [row for row in rows if not (missing and row[-1] == "yes")]
    for line in _aligned([_HEADINGS, *shown]):
        click.echo(line)


def _row(method: Method, present: bool) -> tuple[str, ...]:
    return method.service, method.name, method.kind, method.operation, "yes" if present else "no"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
