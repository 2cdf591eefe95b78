"""All that is wrong with a text, in one run, even when some values don't have the type of their key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitaly_py.config.defaults import filled
from gitaly_py.config.errors import TomlError
from gitaly_py.config.loading import decoded, parse, toml
from gitaly_py.config.problems import Problem, entry
from gitaly_py.config.tree import Config, UnknownKey
from gitaly_py.config.unknown import unknown_keys
from gitaly_py.config.validation import validate


class Findings(NamedTuple):
    """Faults of a configuration, and the keys in it that mean nothing."""

    problems: list[Problem]
    unknown: tuple[UnknownKey, ...]


def examine(data: bytes) -> Findings:
    """What is wrong with `data`, a TOML text.

    Values with a wrong type come first; then all other faults of keys that are in the text. What is missing
    is not told beside them, for it may be what could not be read.

    Raises the LoadError of `config_command` or `auth.token_file`.
    """
    try:
        config = parse(data)
    except TomlError as error:
        mistyped = [Problem(fault.key, fault.message) for fault in (error, *error.further)]
        rest = _beside(data, error) if error.path else Findings([], ())
        return Findings(mistyped + rest.problems, rest.unknown)
    return Findings(validate(config), config.unknown_keys)


def _beside(data: bytes, error: TomlError) -> Findings:
    source = toml(decoded(data))
    unknown = tuple(unknown_keys(source, Config))
    for fault in (error, *error.further):
        _drop(source, fault.path)
    config = filled(Config.model_validate(source))
    return Findings([problem for problem in validate(config) if _stands_in(source, problem.key)], unknown)


def _drop(source: dict[str, Any], path: Sequence[str | int]) -> None:
    """Removes the value at `path`; of a list of values, the whole list, so that no other gets its number."""
    table: Any = source
    last = max(index for index, part in enumerate(path) if isinstance(part, str))
    for part in path[:last]:
        table = table[part]
    table.pop(path[last], None)


def _stands_in(source: Any, key: Sequence[str]) -> bool:
    """Whether the text has the key itself, or the list whose entries it is about."""
    if not key:
        return False
    found: Any = source
    for part in key:
        if isinstance(found, Mapping):
            if part not in found:
                return False
            found = found[part]
        elif isinstance(found, list):
            found = next((each for index, each in enumerate(found) if entry(index) == part), None)
    return True
