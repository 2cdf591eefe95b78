"""`gitaly-py bundle-uri`: a bundle from which clones can start."""

from __future__ import annotations

import click

from gitaly_py.cli.target import call, loaded, repository_message, repository_options, require
from gitaly_py.pb.repository_pb2 import GenerateBundleURIRequest


@click.command("bundle-uri")
@repository_options
def command(storage: str, repository: str, config: str) -> None:
    """Makes the daemon generate a bundle of a repository, from which clones can start."""
    require(repository=repository, config=config)
    settings = loaded(config)
    request = GenerateBundleURIRequest(repository=repository_message(settings, storage, repository))
    call(settings, "/gitaly.RepositoryService/GenerateBundleURI", request)
