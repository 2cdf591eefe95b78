"""What tables of the page consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitaly_py.daemon.status.formatting import count


@dataclass(frozen=True, slots=True)
class Cell:
    """tone: `good`, `bad`, `quiet` or none. share: 0 to 1, drawn as a bar. hint: what a pointer tells."""

    text: str
    tone: str = ""
    share: float | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    kind: `text`, `number`, `bar`, `code`, or `code name` for what is not broken
    into lines. extra: there only where there is room for it.
    """

    name: str
    title: str
    kind: str = "number"
    extra: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """empty: what is said in place of a table without rows. period: whether its figures are of a time."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str
    period: bool = False


def listed(counts: Mapping[str, int]) -> str:
    """`OK 12, NotFound 3`."""
    return ", ".join(f"{name} {count(number)}" for name, number in counts.items())


def tone(*, good: bool = False, bad: bool = False, quiet: bool = False) -> str:
    """The tone of a cell that may be more than one of these: the first that holds of bad, good, quiet."""
    return "bad" if bad else "good" if good else "quiet" if quiet else ""
