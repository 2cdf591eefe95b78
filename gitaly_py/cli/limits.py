"""`gitaly-py limits`: what limiters do, and what other limits would have done."""

from __future__ import annotations

import click

from gitaly_py.cli.commands import Commands, Place

_MODULES = {
    "show": Place("gitaly_py.cli.limits_show", "Show what runs and waits in a daemon."),
    "plan": Place("gitaly_py.cli.limits_plan", "Replay logged calls against other limits."),
}


@click.group("limits", cls=Commands, modules=_MODULES)
def command() -> None:
    """Shows what limiters do, and what other limits would have done."""
