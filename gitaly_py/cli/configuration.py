"""`gitaly-py configuration`: what is wrong with a configuration file, and what one looks like."""

from __future__ import annotations

import json
import sys

import click

from gitaly_py.cli.commands import Commands, Failure
from gitaly_py.config import LoadError, Problem
from gitaly_py.config.example import example
from gitaly_py.config.findings import examine
from gitaly_py.config.notices import unknown_key_notice

_INVALID = 2


@click.group("configuration", cls=Commands)
def command() -> None:
    """Checks and explains configuration files."""


@command.command("validate", short_help="List what is wrong with a configuration.")
@click.pass_context
def _validate(ctx: click.Context) -> None:
    """Reads a configuration from standard input and prints what is wrong with it, as JSON.

    Keys that are unknown, hence ignored, are named on standard error. Status 2 means that something is wrong.
    """
    try:
        findings = examine(sys.stdin.buffer.read())
    except LoadError as error:
        raise Failure(f"processing input data: {error}") from error
    for unknown in findings.unknown:
        click.echo(unknown_key_notice(unknown), err=True)
    if findings.problems:
        errors = [_entry(problem) for problem in findings.problems]
        click.echo(json.dumps({"errors": errors}, indent=2, ensure_ascii=False))
        ctx.exit(_INVALID)


@command.command("example", short_help="Print a commented configuration.")
def _example() -> None:
    """Prints a configuration that explains every key."""
    click.echo(example(), nl=False)


def _entry(problem: Problem) -> dict[str, object]:
    key = {"key": list(problem.key)} if problem.key else {}
    return {**key, "message": problem.message}
