"""Errors of detection.

DetectionError
├── UnknownLanguage     attributes make a file count for a language that does not exist
└── DetectorEnded       the child process ended before it had answered
"""

from __future__ import annotations


class DetectionError(Exception):
    """Root of everything that detection itself raises."""


class UnknownLanguage(DetectionError):
    """A language without an id (commit.md 4)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"linguist language_id not found: {name}")
        self.name = name


class DetectorEnded(DetectionError):
    """The detecting child process closed its end."""

    def __init__(self) -> None:
        super().__init__("the detector ended unexpectedly")
