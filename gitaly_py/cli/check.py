"""`gitaly-py check CONFIG`: whether the Rails app can be reached."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import structlog

from gitaly_py.cli.commands import Failure, usage
from gitaly_py.config import Config, LoadError, load
from gitaly_py.config.errors import os_reason
from gitaly_py.daemon.parts import internal_api_settings
from gitaly_py.daemon.runtime import RuntimeDirectory, RuntimeDirectoryError
from gitaly_py.rails.client import InternalApi
from gitaly_py.rails.errors import InternalApiError, InvalidApiUrl, Refused
from gitaly_py.rails.push import CheckInfo
from gitaly_py.telemetry import logs

_log = structlog.get_logger("gitaly")


@click.command("check")
@click.argument("config", nargs=-1)
@click.pass_context
def command(ctx: click.Context, config: tuple[str, ...]) -> None:
    """Asks the GitLab that the configuration file CONFIG names for its version."""
    if len(config) != 1:
        usage(ctx, "error: invalid argument(s)")
    try:
        loaded = load(config[0])
    except LoadError as error:
        raise Failure(f'loading configuration "{config[0]}": {error}') from error
    logs.configure("text", "error", stream=sys.stderr)
    with _runtime_directory(loaded):
        _check(loaded)


@contextmanager
def _runtime_directory(config: Config) -> Iterator[None]:
    """A private runtime directory as the daemon has one; where none can be made, nothing can start."""
    try:
        directory = RuntimeDirectory.create(config.runtime_dir)
    except (OSError, RuntimeDirectoryError) as error:
        raise Failure(f"creating runtime directory: {error}") from error
    try:
        yield
    finally:
        directory.remove()


def _check(loaded: Config) -> None:
    click.echo("Checking GitLab API access: ", nl=False)
    try:
        info = asyncio.run(_answer(loaded))
    except (OSError, InvalidApiUrl) as error:
        click.echo("FAILED")
        raise Failure(f"could not create GitLab API client: {_reason(error)}") from error
    except InternalApiError as error:
        click.echo("FAILED")
        _report(error, loaded.gitlab.url)
        raise Failure(f"HTTP GET to GitLab endpoint /check failed: {error}") from error
    _print(info)


async def _answer(config: Config) -> CheckInfo:
    api = InternalApi(internal_api_settings(config))
    try:
        return await api.check()
    finally:
        await api.close()


def _reason(error: OSError | InvalidApiUrl) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"open {error.filename}: {os_reason(error)}"
    return str(error)


def _report(error: InternalApiError, url: str) -> None:
    if isinstance(error, Refused):
        check = f"{url.rstrip('/')}/api/v4/internal/check"
        _log.error("Internal API error", error=str(error), method="GET", status=error.status, url=check)


def _print(info: CheckInfo) -> None:
    click.echo("OK")
    click.echo(f"GitLab version: {info.gitlab_version}")
    click.echo(f"GitLab revision: {info.gitlab_revision}")
    click.echo(f"GitLab Api version: {info.api_version}")
    click.echo(f"Redis reachable for GitLab: {str(info.redis).lower()}")
    click.echo("OK")
