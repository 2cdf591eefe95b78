"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T", bound="Section")


class Section(BaseModel):
    """A table of the TOML file: frozen, its fields named as its keys.

    Types are strict, so that a string is never taken for a number. Unknown keys are ignored, for old files
    must go on working; `unknown.py` lists them.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", validate_by_name=True)


def setting(default: Any, description: str, *, key: str | None = None, secret: bool = False) -> Any:
    """A key of a section.

    description: for the operator, with the unit; key: its name in TOML where no attribute can be named so;
    secret: keep the value out of `repr`, hence out of logs.
    """
    return Field(default, description=description, alias=key, repr=not secret)


def several(description: str, default: tuple[Any, ...] = ()) -> Any:
    """A key whose value is a list."""
    return Field(default, description=description, strict=False)


def table(kind: type[T], description: str, *, key: str | None = None) -> Any:
    """A key whose value is a table with its own defaults."""
    return Field(default_factory=kind, description=description, alias=key)


def key_of(name: str, section: type[Section]) -> str:
    """The TOML key of the attribute `name` of `section`."""
    return section.model_fields[name].alias or name
