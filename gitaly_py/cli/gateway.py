"""`gitaly-py gateway CONFIG`: smart HTTP for plain git clients."""

from __future__ import annotations

import click

from gitaly_py.cli.commands import Failure, usage
from gitaly_py.config import ConfigError
from gitaly_py.config.gateway import load_gateway
from gitaly_py.gateway import run


@click.command("gateway")
@click.argument("config", nargs=-1)
@click.pass_context
def command(ctx: click.Context, config: tuple[str, ...]) -> None:
    """Serves plain git clients over HTTP with the configuration file CONFIG, which is the gateway's own."""
    if len(config) != 1:
        usage(ctx)
    try:
        loaded = load_gateway(config[0])
    except ConfigError as error:
        raise Failure(f'load config: config_path "{config[0]}": {error}') from error
    ctx.exit(run(loaded))
