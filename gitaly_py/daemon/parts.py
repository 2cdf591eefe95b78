"""Makes the parts of a worker from their sections of the configuration."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gitaly_py.config import Config
from gitaly_py.config.environment import is_true
from gitaly_py.daemon.machine import control_groups
from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.hooks.custom import CustomHooks
from gitaly_py.hooks.receive import ReceiveHooks
from gitaly_py.hooks.server import HookServer
from gitaly_py.rails.errors import InvalidApiUrl
from gitaly_py.rails.settings import InternalApiSettings
from gitaly_py.rails.stand_alone import NoInternalApi

if TYPE_CHECKING:
    from gitaly_py.rails.client import InternalApi


_GIT_BINARY = "GITALY_TESTING_GIT_BINARY"
_NO_HOOKS = "GITALY_TESTING_NO_GIT_HOOKS"
_READ_SECONDS = 300


class ApiClientError(Exception):
    """The Rails app's internal API can't be used: its secret is unreadable, or its address makes no sense."""


def load_modules(config: Config) -> None:
    """Imports what workers of this configuration need and others do not, so that they share it."""
    if config.gitlab.url:
        import_module("gitaly_py.rails.client")


def git(config: Config, supervisor: int) -> Git:
    """The one way to run git; the binary may be overridden by the environment (daemon.md 1.6).

    supervisor: its process id, after which the daemon's control groups are named.
    """
    pairs = tuple((entry.key, entry.value) for entry in config.git.config)
    settings = GitSettings(binary=os.environ.get(_GIT_BINARY, ""), config=pairs)
    return Git(settings, control_groups(config, supervisor))


def internal_api(config: Config) -> InternalApi | NoInternalApi:
    """The client of the Rails app; a daemon without `gitlab.url` stands alone and lets every push pass.

    Raises ApiClientError when the secret can't be read or the address makes no sense.
    """
    if not config.gitlab.url or is_true(_NO_HOOKS):
        return NoInternalApi()
    from gitaly_py.rails.client import InternalApi  # noqa: PLC0415 - large, and not needed by all

    try:
        return InternalApi(internal_api_settings(config))
    except (OSError, InvalidApiUrl) as error:
        raise ApiClientError(f"could not create GitLab API client: {error}") from error


def internal_api_settings(config: Config) -> InternalApiSettings:
    """How to reach the Rails app. Raises OSError when the secret can't be read."""
    section, http = config.gitlab, config.gitlab.http_settings
    secret = section.secret.encode() if section.secret else Path(section.secret_file).read_bytes()
    return InternalApiSettings(
        url=section.url,
        secret=secret.strip(),
        relative_url_root=section.relative_url_root,
        read_timeout=http.read_timeout or _READ_SECONDS,
        user=http.user,
        password=http.password,
        ca_file=http.ca_file,
        ca_path=http.ca_path,
        client_certificate=config.tls.certificate_path,
        client_key=config.tls.key_path,
    )


def hooks(
    config: Config, git: Git, api: InternalApi | NoInternalApi, runtime: str, number: int
) -> HookServer:
    """What pushes are wired to. runtime: the runtime directory; number: of the worker."""
    receive = ReceiveHooks(api, CustomHooks(git, config.hooks.custom_hooks_dir))
    return HookServer(receive, runtime, socket_name=f"h{number}")
