"""What `git merge-tree -z --write-tree` prints (diff-conflicts.md 10.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

from gitaly_py.git.wire.errors import MalformedMerge
from gitaly_py.git.wire.goquote import quote

_TREE = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_STAGE = re.compile(rb"([0-7]{6}) ([0-9a-f]+) ([123])\t(.+)", re.DOTALL)


class Stage(NamedTuple):
    """One side of a conflict. number: 1 the common ancestor, 2 ours, 3 theirs."""

    mode: int
    oid: str
    number: int
    path: bytes


class Merged(NamedTuple):
    """The tree of a merge, conflict markers included, and the stages of what is in conflict."""

    tree: str
    stages: list[Stage]


def parse_merge(output: bytes) -> Merged:
    """The result that git printed; what it says to people about it is left out. Raises MalformedMerge."""
    tree, *fields = output.split(b"\0")
    if _TREE.fullmatch(tree) is None:
        raise MalformedMerge(f"invalid tree: {quote(tree)}")
    stages = []
    for field in fields:
        if not field:
            break
        stages.append(_stage(field))
    return Merged(tree.decode("ascii"), stages)


def _stage(field: bytes) -> Stage:
    found = _STAGE.fullmatch(field)
    if found is None:
        raise MalformedMerge(f"invalid conflict: {quote(field)}")
    mode, oid, number, path = found.groups()
    return Stage(int(mode, 8), oid.decode("ascii"), int(number), path)
