"""`gitaly-py serve CONFIG`: the daemon itself."""

from __future__ import annotations

import os
import sys

import click

from gitaly_py.cli.commands import Failure, usage
from gitaly_py.config import InvalidConfig, LoadError, check_startup, load
from gitaly_py.daemon import run


@click.command("serve")
@click.argument("config", nargs=-1)
@click.pass_context
def command(ctx: click.Context, config: tuple[str, ...]) -> None:
    """Runs the daemon with the configuration file CONFIG until a signal ends it."""
    if len(config) != 1:
        usage(ctx)
    try:
        loaded = load(config[0])
        check_startup(loaded)
    except LoadError as error:
        raise Failure(f'load config: config_path "{config[0]}": {error}') from error
    except InvalidConfig as error:
        raise Failure(str(error)) from error
    status = run(loaded, config[0])
    # Whatever has to be closed is closed. To tear down the interpreter takes a fifth of a second.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
