"""A configuration file that explains every key, made from the models so that neither can outrun the other."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from gitaly_py.config.duration import Duration
from gitaly_py.config.section import Section, key_of
from gitaly_py.config.tree import Config
from gitaly_py.config.unknown import section_in

_WIDTH = 100

_INTRODUCTION = """\
# Configuration of gitaly-py. The keys are Gitaly's, so that its files can be used as they are.
#
# A key that stands as a comment shows its default. Durations are texts such as "1h2m3s", "300ms" or
# whole nanoseconds. `gitaly-py configuration validate < FILE` says what is wrong with a file.
"""

_SAMPLES: dict[str, object] = {
    "socket_path": "/run/gitaly/gitaly.socket",
    "bin_dir": "/usr/bin",
    "storage.name": "default",
    "storage.path": "/var/lib/gitaly/repositories",
}
"""Keys without which nothing starts; they are no comments."""


def example() -> str:
    """The text of `config.toml.example`."""
    return _INTRODUCTION + "\n" + "\n".join(_table(Config, "", optional=False)) + "\n"


def _table(section: type[Section], prefix: str, *, optional: bool) -> Iterator[str]:
    """The lines of one table: its own keys first, as TOML wants it, then the tables in it."""
    fields = {key_of(name, section): field for name, field in section.model_fields.items()}
    inner = {key: kind for key, field in fields.items() if (kind := section_in(field.annotation))}
    for key, field in fields.items():
        if key not in inner:
            yield from _key(prefix + key, key, field)
    for key, kind in inner.items():
        yield from _inner(prefix + key, fields[key], kind, optional=optional)


def _inner(path: str, field: FieldInfo, kind: type[Section], *, optional: bool) -> Iterator[str]:
    is_list = field.get_default(call_default_factory=True) == ()
    is_optional = optional or not (path in _needed() or field.default_factory)
    header = f"[[{path}]]" if is_list else f"[{path}]"
    yield ""
    yield from _comment(field.description or "")
    yield f"# {header}" if is_optional else header
    yield from _table(kind, f"{path}.", optional=is_optional)


def _needed() -> set[str]:
    return {key.rpartition(".")[0] for key in _SAMPLES}


def _key(path: str, key: str, field: FieldInfo) -> Iterator[str]:
    yield from _comment(field.description or "")
    if path in _SAMPLES:
        yield f"{key} = {_toml(_SAMPLES[path])}"
    else:
        yield f"# {key} = {_toml(field.get_default(call_default_factory=True))}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return json.dumps(str(value) if isinstance(value, Duration) else value, ensure_ascii=False)
