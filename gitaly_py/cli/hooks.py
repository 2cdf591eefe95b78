"""`gitaly-py hooks set`: custom hooks of one repository."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import BinaryIO

import click

from gitaly_py.cli.commands import Commands
from gitaly_py.cli.target import call, loaded, repository_message, repository_options, require
from gitaly_py.pb.repository_pb2 import SetCustomHooksRequest
from gitaly_py.pb.shared_pb2 import Repository

_CHUNK = 128 * 1024


@click.group("hooks", cls=Commands)
def command() -> None:
    """Manages custom hooks."""


@command.command("set", short_help="Set the custom hooks of a repository.")
@repository_options
def _set(storage: str, repository: str, config: str) -> None:
    """Sets the custom hooks of a repository to those in the tar archive on standard input."""
    require(repository=repository, config=config)
    settings = loaded(config)
    target = repository_message(settings, storage, repository)
    call(settings, "/gitaly.RepositoryService/SetCustomHooks", _requests(target, sys.stdin.buffer))


def _requests(repository: Repository, archive: BinaryIO) -> Iterator[SetCustomHooksRequest]:
    yield SetCustomHooksRequest(repository=repository)
    while data := archive.read(_CHUNK):
        yield SetCustomHooksRequest(data=data)
