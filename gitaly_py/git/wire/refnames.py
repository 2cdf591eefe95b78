"""Full reference names (ref-blob.md 2.1; git-check-ref-format)."""

from __future__ import annotations

import re

from gitaly_py.git.wire.errors import InvalidReferenceName

HEADS = b"refs/heads/"
TAGS = b"refs/tags/"

_OFFENDING = re.compile(rb"[\x00-\x20:?[\\^~*\x7f]")


def validate_reference_name(name: bytes) -> None:
    """Raises InvalidReferenceName with the API's text for the first rule that `name` breaks."""
    reason = _fault(name)
    if reason is not None:
        raise InvalidReferenceName(reason)


def is_reference_name(name: bytes) -> bool:
    """Whether `name` may be given to git as a full reference name; HEAD is none."""
    return _fault(name) is None


def branch_name(reference: bytes) -> bytes | None:
    """The name of a branch without `refs/heads/`; None for what is no branch."""
    return reference.removeprefix(HEADS) or None if reference.startswith(HEADS) else None


def _fault(name: bytes) -> str | None:
    if name == b"HEAD":
        return "HEAD reference not allowed"
    if not name.startswith(b"refs/"):
        return "reference is not fully qualified"
    rest = name.removeprefix(b"refs/")
    return _whole_fault(rest) or _byte_fault(rest) or _component_fault(rest)


def _whole_fault(rest: bytes) -> str | None:
    if not rest:
        return "refs/ is not a valid reference"
    if rest.endswith(b"/"):
        return "reference must not end with slash"
    if rest.endswith(b"."):
        return "reference must not end with dot"
    if b"@{" in rest:
        return "reference must not contain @{"
    if b".." in rest:
        return "reference must not contain double dots"
    return None


def _byte_fault(rest: bytes) -> str | None:
    found = _OFFENDING.search(rest)
    if found is None:
        return None
    if found[0] in b" \t\n":
        return "reference must not contain space characters"
    if found[0] in b":?[\\^~*\x7f":
        return "reference must not contain special characters"
    return "reference must not contain control characters"


def _component_fault(rest: bytes) -> str | None:
    for component in rest.split(b"/"):
        if not component:
            return "empty component is not allowed"
        if component.startswith(b"."):
            return "component must not start with dot"
        if component.endswith(b".lock"):
            return "component must not end with .lock"
    return None
