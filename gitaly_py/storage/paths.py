"""Path arithmetic without a look at the disk (repository.md A2)."""

from __future__ import annotations

import posixpath


def clean(path: str) -> str:
    """Lexical clean-up; unlike normpath, two leading slashes become one."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def is_below(path: str, root: str) -> bool:
    """Whether a clean path is `root` or inside it."""
    return path == root or path.startswith(f"{root}/")


def reason_of(error: OSError | ValueError) -> str:
    """Why a look at a path failed, in the operating system's words; Python alone refuses NUL bytes."""
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else "invalid argument"
