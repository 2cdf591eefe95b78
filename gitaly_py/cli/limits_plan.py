"""`gitaly-py limits plan`: logged calls, replayed against other limits."""

from __future__ import annotations

import json
from typing import Any, cast

import click

from gitaly_py.cli.commands import Failure
from gitaly_py.config import Config, LoadError, load, parse, validate
from gitaly_py.planning import plot
from gitaly_py.planning.document import document
from gitaly_py.planning.errors import PlanningError
from gitaly_py.planning.log import Log, read
from gitaly_py.planning.plan import plan
from gitaly_py.planning.proposal import Adaptive, Proposal, proposal, what_if
from gitaly_py.planning.text import text

_LIMITS = ("concurrency", "pack_objects_limiting")


class Unusable(Failure):
    """What was given can't be made use of; status 2."""

    exit_code = 2


@click.command("plan")
@click.option("--log", "logs", multiple=True, metavar="FILE", help="Log of the daemon; - is standard input.")
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration whose limits are tried.")
@click.option("--what-if", "changes", multiple=True, metavar="RPC=MAX[,QUEUE[,WAIT]]", help="Try this limit.")
@click.option(
    "--adaptive",
    type=click.Choice(["initial", "min", "max"]),
    default="initial",
    show_default=True,
    help="Where adaptive limits stand.",
)
@click.option("--keys", default=5, show_default=True, help="Show so many keys a limiter, the worst ones.")
@click.option("--plot", "picture", default="", metavar="FILE", help="Draw it, too; .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(**options: Any) -> None:
    """Replays the calls of an access log against other limits, and tells what would have come of it.

    The limits are those of --config, of a daemon without configuration if there is none, with the changes of
    --what-if: RPC is a full method or the end of one, or packObjects; MAX calls run at a time (0 is no
    limit), QUEUE may wait, no longer than WAIT (10s).

    Logs are of one daemon, JSON or text, compressed by gzip or not; --log may be given several times. Calls
    arrive as they did, whatever becomes of those before. Status 2 means that the input is of no use.
    """
    try:
        _run(**options)
    except PlanningError as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise Failure(f"temporary files: {error}") from error


def _run(*, logs: tuple[str, ...], picture: str, as_json: bool, keys: int, **limits: Any) -> None:
    if not logs:
        raise PlanningError('Required flag "log" not set')
    proposed = _proposed(**limits)
    if picture:
        plot.check(picture)
    with read(logs) as log:
        _warn(log)
        found = plan(log, proposed)
    if as_json:
        click.echo(json.dumps(document(found, keys=keys), ensure_ascii=False))
    else:
        for line in text(found, keys=keys):
            click.echo(line)
    if picture:
        plot.draw(found, picture)


def _proposed(*, config: str, changes: tuple[str, ...], adaptive: str) -> Proposal:
    if not config and not changes:
        raise PlanningError('Required flag "config" or "what-if" not set')
    loaded = _loaded(config) if config else parse(b"")
    return proposal(loaded, [what_if(change) for change in changes], cast("Adaptive", adaptive))


def _loaded(path: str) -> Config:
    try:
        config = load(path)
    except LoadError as error:
        raise PlanningError(f'loading configuration "{path}": {error}') from error
    for problem in validate(config):
        if problem.key and problem.key[0] in _LIMITS:
            click.echo(f"{path}: {'.'.join(problem.key)}: {problem.message}", err=True)
    return config


def _warn(log: Log) -> None:
    if log.malformed:
        click.echo(f"{log.malformed} of {log.lines} lines are malformed and left out:", err=True)
        for example in log.examples:
            click.echo(example, err=True)
