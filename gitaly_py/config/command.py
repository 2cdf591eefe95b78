"""`config_command`: a program whose output is merged over the file (daemon.md 1.1)."""

from __future__ import annotations

import json
import subprocess  # noqa: TID251 - runs before there is an event loop, and config may not import git
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gitaly_py.config.duration import FROM_JSON
from gitaly_py.config.errors import ConfigCommandError, os_reason
from gitaly_py.config.json_keys import with_toml_keys
from gitaly_py.config.tree import Config


def overrides(command: str) -> dict[str, Any]:
    """What `command` prints, with TOML's keys; raises ConfigCommandError."""
    source = with_toml_keys(_parsed(_output(command)), Config)
    try:
        Config.model_validate(source, context=FROM_JSON)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ConfigCommandError(f"unmarshalling generated config: {key}: {fault['msg']}") from error
    return source


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `over` sets: tables merge key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[key] = merged(before, value)
        else:
            result[key] = value
    return result


def _output(command: str) -> bytes:
    try:
        finished = subprocess.run([command], capture_output=True, check=False)
    except OSError as error:
        reason = f"fork/exec {command}: {os_reason(error)}"
        raise ConfigCommandError(f"running config command: {reason}") from error
    if finished.returncode:
        stderr = json.dumps(finished.stderr.decode(errors="replace"), ensure_ascii=False)
        raise ConfigCommandError(f"running config command: {_ending(finished.returncode)}, stderr: {stderr}")
    return finished.stdout


def _ending(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal: {-status}"


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        generated = json.loads(output)
    except ValueError as error:
        raise ConfigCommandError(f"unmarshalling generated config: {error}") from error
    if not isinstance(generated, dict):
        raise ConfigCommandError("unmarshalling generated config: not a JSON object")
    return generated
