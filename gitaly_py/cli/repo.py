"""`gitaly-py repo`: repositories of a daemon."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from gitaly_py.cli.commands import Commands, Failure
from gitaly_py.cli.target import (
    call,
    config_option,
    loaded,
    repository_message,
    repository_options,
    require,
)
from gitaly_py.config.errors import os_reason
from gitaly_py.pb.repository_pb2 import CreateRepositoryRequest, RemoveRepositoryRequest
from gitaly_py.pb.shared_pb2 import OBJECT_FORMAT_SHA1, OBJECT_FORMAT_SHA256
from gitaly_py.storage.walking import repositories

_FORMATS = {"sha1": OBJECT_FORMAT_SHA1, "sha256": OBJECT_FORMAT_SHA256}


@click.group("repo", cls=Commands)
def command() -> None:
    """Creates, lists and removes repositories."""


@command.command("create", short_help="Create an empty repository.")
@repository_options
@click.option("--object-format", type=click.Choice(list(_FORMATS)), default="sha1", show_default=True)
@click.option(
    "--default-branch", default="", help="Branch that HEAD names; the daemon's default if left out."
)
def _create(storage: str, repository: str, config: str, object_format: str, default_branch: str) -> None:
    """Makes the daemon create an empty repository."""
    require(repository=repository, config=config)
    settings = loaded(config)
    request = CreateRepositoryRequest(
        repository=repository_message(settings, storage, repository),
        object_format=_FORMATS[object_format],
        default_branch=default_branch.encode(),
    )
    call(settings, "/gitaly.RepositoryService/CreateRepository", request)


@command.command("remove", short_help="Remove a repository.")
@repository_options
def _remove(storage: str, repository: str, config: str) -> None:
    """Makes the daemon remove a repository with all it holds."""
    require(repository=repository, config=config)
    settings = loaded(config)
    request = RemoveRepositoryRequest(repository=repository_message(settings, storage, repository))
    call(settings, "/gitaly.RepositoryService/RemoveRepository", request)


@command.command("list", short_help="List the repositories on disk.")
@click.option("--storage", default="", help="Name of the storage; all of them if left out.")
@config_option
def _list(storage: str, config: str) -> None:
    """Prints storage and relative path of every repository, a tab between. Reads the disk."""
    require(config=config)
    settings = loaded(config)
    chosen = [entry for entry in settings.storage if storage in ("", entry.name)]
    if not chosen:
        raise Failure(f'storage "{storage}" is not configured')
    for entry in chosen:
        for path in repositories(entry.path, _refuse):
            click.echo(f"{entry.name}\t{os.path.relpath(path, entry.path)}")


def _refuse(error: OSError) -> NoReturn:
    raise Failure(f"listing {error.filename}: {os_reason(error)}")
