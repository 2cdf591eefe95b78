"""From the file to the finished configuration, in the order of daemon.md 1.1."""

from __future__ import annotations

import re
import tomllib
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gitaly_py.config import command
from gitaly_py.config.auth import Auth
from gitaly_py.config.defaults import filled
from gitaly_py.config.errors import ConfigUnreadable, TokenFileError, TomlError, os_reason
from gitaly_py.config.positions import position
from gitaly_py.config.section import Section
from gitaly_py.config.tree import Config
from gitaly_py.config.unknown import unknown_keys

T = TypeVar("T", bound=Section)

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: str) -> Config:
    """The configuration in the file `path`; raises LoadError."""
    return parse(read(path))


def read(path: str) -> bytes:
    """What the file `path` holds; raises ConfigUnreadable."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigUnreadable(path, error) from error


def parse(data: bytes) -> Config:
    """The configuration that `data`, a TOML text, describes; raises LoadError."""
    text = decoded(data)
    source = toml(text)
    config = checked(source, Config, text)
    if config.config_command:
        source = command.merged(source, command.overrides(config.config_command))
        config = Config.model_validate(source)
    config = config.model_copy(update={"auth": _with_secret(config.auth)})
    return filled(config).with_unknown_keys(tuple(unknown_keys(source, Config)))


def decoded(data: bytes) -> str:
    """`data` as text; raises TomlError."""
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise TomlError("invalid UTF-8", line=line, column=column) from error


def toml(text: str) -> dict[str, Any]:
    """The tables of `text`; raises TomlError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        place = _PLACE.search(reason)
        if place is None:
            raise TomlError(reason) from error
        line, column = (int(place[1]), int(place[2])) if place[1] else _end(text)
        raise TomlError(reason[: place.start()], line=line, column=column) from error


def checked(source: dict[str, Any], section: type[T], text: str) -> T:
    """`source`, read from `text`, as a `section`.

    Raises TomlError for the first value with a wrong type; it names the others too.
    """
    try:
        return section.model_validate(source)
    except ValidationError as error:
        faults = [_type_fault(fault, text) for fault in error.errors()]
        faults.sort(key=lambda fault: (fault.line, fault.column))
        faults[0].further = tuple(faults[1:])
        raise faults[0] from error


def _type_fault(fault: ErrorDetails, text: str) -> TomlError:
    line, column = position(text, fault["loc"]) or (0, 0)
    return TomlError(_reason(fault), line=line, column=column, path=fault["loc"])


def _reason(fault: ErrorDetails) -> str:
    return fault["msg"].replace("valid tuple", "valid list").replace("Input should", "value should")


def _end(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _with_secret(auth: Auth) -> Auth:
    if not auth.token_file:
        return auth
    try:
        with open(auth.token_file, encoding="utf-8") as file:
            return auth.with_secret_of_file(file.read().strip())
    except OSError as error:
        raise TokenFileError(f"open {auth.token_file}: {os_reason(error)}") from error
    except UnicodeDecodeError as error:
        raise TokenFileError(f"{auth.token_file}: invalid UTF-8") from error
