"""Commands of Gitaly about its write-ahead log, cluster and databases, which this daemon has not."""

from __future__ import annotations

import click

from gitaly_py.cli.commands import Failure


@click.command("unsupported", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - any are accepted
    """Not supported: there is no write-ahead log, no cluster and no database in this daemon."""
    raise Failure(f"{ctx.info_name}: not supported")
