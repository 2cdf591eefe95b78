"""`gitaly-py git`: git as the daemon would run it."""

from __future__ import annotations

import os

import click

from gitaly_py.cli.commands import Failure, usage
from gitaly_py.config import LoadError, load
from gitaly_py.config.errors import os_reason

_QUIET = (("gc.auto", "0"), ("maintenance.auto", "0"))


@click.command("git")
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration of the daemon.")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, config: str, args: tuple[str, ...]) -> None:
    """Runs git with ARGS, which follow `--`, where you are and without automatic maintenance."""
    if not config:
        raise Failure('Required flag "config" not set')
    if not args:
        usage(ctx, "error: no git command given")
    try:
        load(config)
    except LoadError as error:
        raise Failure(f'loading configuration "{config}": {error}') from error
    git = os.environ.get("GITALY_TESTING_GIT_BINARY") or "git"
    try:
        os.execvpe(git, [git, *args], {**os.environ, **_configuration(_QUIET)})
    except OSError as error:
        raise Failure(f"{git}: {os_reason(error)}") from error


def _configuration(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Variables that add `pairs` to the configuration which the environment already gives to git."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    variables = {"GIT_CONFIG_COUNT": str(count + len(pairs))}
    for index, (key, value) in enumerate(pairs, start=count):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables
