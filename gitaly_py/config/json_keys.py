"""What keys are called in the JSON of `config_command`: mostly as in TOML (daemon.md 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitaly_py.config.section import Section, key_of
from gitaly_py.config.unknown import section_in

_Path = tuple[str, ...]

_RENAMED: dict[_Path, str] = {
    ("tls", "cert_path"): "certificate_path",
    ("gitlab", "http_settings"): "http-settings",
}
_TOML_ONLY = {(*path[:-1], key) for path, key in _RENAMED.items()}
_WITHOUT_UNDERSCORES = {"storage", "auth", "cgroups"}


def with_toml_keys(source: Mapping[str, Any], section: type[Section], path: _Path = ()) -> dict[str, Any]:
    """`source`, which overrides `section`, with TOML's keys; a null changes nothing and is left out."""
    fields = {key_of(name, section): field.annotation for name, field in section.model_fields.items()}
    result: dict[str, Any] = {}
    for json_key, value in source.items():
        key = _toml_key(json_key, fields, path)
        if key is not None and value is not None:
            inner = section_in(fields.get(key))
            result[key] = _inside(value, inner, (*path, key)) if inner else value
    return result


def _toml_key(json_key: str, known: Mapping[str, object], path: _Path) -> str | None:
    """The TOML key for `json_key`, or None when JSON does not know it; unknown to both, it stays."""
    if path and path[0] in _WITHOUT_UNDERSCORES:
        return next((key for key in known if key.replace("_", "") == json_key.lower()), None)
    place = (*path, json_key)
    return None if place in _TOML_ONLY else _RENAMED.get(place, json_key)


def _inside(value: Any, section: type[Section], path: _Path) -> Any:
    if isinstance(value, Mapping):
        return with_toml_keys(value, section, path)
    if isinstance(value, list):
        return [_inside(entry, section, path) for entry in value]
    return value
