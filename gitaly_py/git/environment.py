"""Environment and `-c` configuration of git processes (daemon.md 6.2, 6.3)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from gitaly_py.git.commands import COMMANDS, Command, Config, Hooks, global_config
from gitaly_py.git.errors import InvalidCommand
from gitaly_py.git.format import object_format
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.version import ATTR_TREE, Version
from gitaly_py.git.wire.goquote import quote
from gitaly_py.telemetry.correlation import current_id

_INHERITED = (
    "HOME",
    "PATH",
    "LD_LIBRARY_PATH",
    "TZ",
    "GIT_TRACE",
    "GIT_TRACE_PACK_ACCESS",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_PERFORMANCE",
    "GIT_TRACE_SETUP",
    "GIT_EXEC_PATH",
    "GIT_DEFAULT_REF_FORMAT",
    "all_proxy",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GITALY_TESTING_ENABLE_ALL_FEATURE_FLAGS",
)

ALWAYS = {
    "LANG": "en_US.UTF-8",  # error texts are matched, hence never translated
    "GIT_TERMINAL_PROMPT": "0",  # nobody is there to answer
    "GIT_CONFIG_GLOBAL": "/dev/null",  # what the machine's users configure is not ours
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "XDG_CONFIG_HOME": "/dev/null",
}

_CONFIG_KEY = re.compile(r"[0-9A-Za-z]+(\.[*-/_:@a-zA-Z0-9]+)+")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environment` that every git process gets."""
    return {name: environment[name] for name in _INHERITED if name in environment}


def environment_of(
    base: Mapping[str, str], repository: GitRepository | None, extra: Mapping[str, str], secrets: Config
) -> dict[bytes, bytes]:
    """The whole environment of one process.

    extra: variables of the call. secrets: configuration that must not be seen in the process list.
    Raises InvalidCommand for a NUL byte.
    """
    variables = {**base}
    if current_id.get():
        variables["CORRELATION_ID"] = current_id.get()
    variables |= dict(_object_directories(repository))
    variables |= extra
    variables |= dict(_secret_config(secrets))
    variables |= ALWAYS
    for name, value in variables.items():
        if "\0" in name or "\0" in value:
            raise InvalidCommand("", f"detected null byte in environment variable {quote(name)}")
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


def config_flags(
    version: Version, repository: GitRepository | None, command: Command, config: Config, admin: Config
) -> list[bytes]:
    """`-c key=value` for a command, in the order in which later ones win.

    config: what the call asks for; admin: what the administrator asks for.
    Raises InvalidCommand for a key that git could take for something else.
    """
    pairs = [*config, *_hooks(command), *_attributes(version, repository, command), *admin]
    return [*_standing_flags(version, command.name), *_flags(command.name, pairs)]


@lru_cache
def _standing_flags(version: Version, name: str) -> tuple[bytes, ...]:
    """What a sub-command gets at every start."""
    return tuple(_flags(name, [*global_config(version), *COMMANDS[name].config()]))


def _flags(command: str, pairs: Config) -> Iterator[bytes]:
    for key, value in pairs:
        if not _CONFIG_KEY.fullmatch(key):
            raise InvalidCommand(command, f"invalid configuration key {quote(key)}")
        if "\0" in value:
            raise InvalidCommand(command, f"detected null byte in command argument {quote(f'{key}={value}')}")
        yield b"-c"
        yield os.fsencode(f"{key}={value}")


def _hooks(command: Command) -> Config:
    if command.hooks is None:
        return ()
    path = command.hooks.value if isinstance(command.hooks, Hooks) else command.hooks
    return (("core.hooksPath", path),)


def _attributes(version: Version, repository: GitRepository | None, command: Command) -> Config:
    if repository is None or version < ATTR_TREE:
        return ()
    if command.description.reads_attributes:
        return (("attr.tree", "HEAD"),)
    # Git would look for attributes in HEAD by itself; no attributes is cheaper, and the same everywhere.
    return (("attr.tree", object_format(repository.path).empty_tree),)


def _object_directories(repository: GitRepository | None) -> Iterator[tuple[str, str]]:
    if repository is None:
        return
    if repository.object_directory:
        yield "GIT_OBJECT_DIRECTORY", repository.object_directory
    if repository.alternate_object_directories:
        yield "GIT_ALTERNATE_OBJECT_DIRECTORIES", ":".join(repository.alternate_object_directories)


def _secret_config(secrets: Config) -> Iterator[tuple[str, str]]:
    if not secrets:
        return
    yield "GIT_CONFIG_COUNT", str(len(secrets))
    for number, (key, value) in enumerate(secrets):
        yield f"GIT_CONFIG_KEY_{number}", key
        yield f"GIT_CONFIG_VALUE_{number}", value
