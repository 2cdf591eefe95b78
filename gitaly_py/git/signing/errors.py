"""Errors of signing.

GitError
└── SigningError
    ├── KeyUnreadable       the file can't be read
    ├── KeyUnusable         it holds no key that we can use
    └── MalformedSignature  no signature, or one of a kind we don't know
"""

from __future__ import annotations

from gitaly_py.git.errors import GitError


class SigningError(GitError):
    """A key or a signature that is of no use."""


class KeyUnreadable(SigningError):
    """The file `path` of a key can't be read; the text is Go's."""

    def __init__(self, path: str, reason: OSError) -> None:
        super().__init__(f"open {path}: {(reason.strerror or '').lower()}")
        self.path = path
        self.reason = reason


class KeyUnusable(SigningError):
    """The file `path` holds no key that we can use."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class MalformedSignature(SigningError):
    """Bytes that are no signature, or one of a kind we don't know."""
