"""`gitaly-py`: the top of the tree of commands."""

from __future__ import annotations

import click

from gitaly_py import __version__
from gitaly_py.cli.commands import Commands, Place

_PACKAGE = "gitaly_py.cli"

_MODULES = {
    "serve": Place(f"{_PACKAGE}.serve", "Run the daemon."),
    "check": Place(f"{_PACKAGE}.check", "Check the connection to GitLab."),
    "configuration": Place(f"{_PACKAGE}.configuration", "Check and explain configuration files."),
    "hooks": Place(f"{_PACKAGE}.hooks", "Manage custom hooks."),
    "bundle-uri": Place(f"{_PACKAGE}.bundle_uri", "Generate a bundle for clones."),
    "git": Place(f"{_PACKAGE}.git", "Run git."),
    "db": Place(f"{_PACKAGE}.unsupported", "Not supported."),
    "pool": Place(f"{_PACKAGE}.unsupported", "Not supported."),
    "recovery": Place(f"{_PACKAGE}.unsupported", "Not supported."),
    "cluster": Place(f"{_PACKAGE}.unsupported", "Not supported."),
    "repo": Place(f"{_PACKAGE}.repo", "Create, list and remove repositories."),
    "limits": Place(f"{_PACKAGE}.limits", "Show limiters, and plan other limits."),
    "rpcs": Place(f"{_PACKAGE}.rpcs", "List every RPC and whether it is served."),
    "gateway": Place(f"{_PACKAGE}.gateway", "Serve plain git clients over HTTP."),
}


@click.group(
    cls=Commands,
    modules=_MODULES,
    default="serve",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-v", "-version", "--version", message="Gitaly, version %(version)s")
def main() -> None:
    """A Git RPC daemon. `gitaly-py CONFIG` is short for `gitaly-py serve CONFIG`."""
