"""What services see of detection, whoever does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitaly_py.storage.repository import Repository


@dataclass(frozen=True, slots=True)
class LanguageBytes:
    """How much of a repository is written in a language.

    id, color: Linguist's number and colour (`#rrggbb`) of the language.
    """

    name: str
    bytes: int
    id: int
    color: str


class LanguageCounter(Protocol):
    """Counts languages."""

    async def count(self, repository: Repository, commit: str) -> Sequence[LanguageBytes]:
        """The languages of a commit, in no particular order.

        commit: the full id of anything that has a tree. Raises DetectionError and GitError.
        """
        ...


@dataclass(frozen=True, slots=True)
class LicenseFile:
    """A file that may hold a license. name: its path."""

    name: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class LicenseMatch:
    """A license that a file holds or refers to.

    id: SPDX's identifier, without a prefix for deprecated ones. name: SPDX's. url: SPDX's first reference,
    or empty. confidence: at least 0; 1 for the very text.
    """

    file: LicenseFile
    id: str
    name: str
    url: str
    confidence: float


class LicenseMatcher(Protocol):
    """Compares files with licenses."""

    async def matches(self, files: Sequence[LicenseFile]) -> Sequence[LicenseMatch]:
        """Every license that any of the files holds. Raises DetectionError and GitError."""
        ...
