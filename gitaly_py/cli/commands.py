"""Groups of sub-commands whose modules are imported only when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Place(NamedTuple):
    """The module that has a sub-command as `command`, and what the help says of it."""

    module: str
    summary: str


class Commands(click.Group):
    """A group that finds its sub-commands by module, and prints its help when there are no arguments.

    modules: where each sub-command is, in the order of the help.
    default: sub-command that gets arguments which begin with the name of none.
    """

    def __init__(
        self, *args: Any, modules: Mapping[str, Place] | None = None, default: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules or {}
        self._default = default

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._modules, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return super().get_command(ctx, cmd_name)
        command: click.Command = importlib.import_module(self._modules[cmd_name].module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self._modules:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in self._modules.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            usage(ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self._default and args[0] not in self.list_commands(ctx):
            args = [self._default, *args]
        return super().resolve_command(ctx, args)


class Failure(click.ClickException):
    """Ends the program with status 1; its message goes to standard error as it is."""

    def show(self, file: Any = None) -> None:
        click.echo(self.format_message(), err=True, file=file)


def usage(ctx: click.Context, error: str = "") -> None:
    """Prints the help on standard output and `error`, if any, on standard error; ends with status 2."""
    click.echo(ctx.get_help())
    if error:
        click.echo(error, err=True)
    ctx.exit(2)
