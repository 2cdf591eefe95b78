"""Merging two commits as far as git can by itself (diff-conflicts.md 10.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitaly_py.git.commands import Command
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.mergetree import Stage, parse_merge
from gitaly_py.services.app import Call
from gitaly_py.services.attributes import head_attributes

_CONFLICTS = 1
"""git's exit status when it could not merge everything."""

_ANCESTOR, _OURS, _THEIRS = 1, 2, 3


@dataclass
class Conflict:
    """A path that could not be merged. The paths say which sides have it; those that have not are empty.

    our_mode: the mode that it has on our side, else 0.
    """

    ancestor_path: bytes = b""
    our_path: bytes = b""
    our_mode: int = 0
    their_path: bytes = b""


@dataclass(frozen=True)
class Conflicts:
    """A merge that needs help. ours, theirs: the commits' ids; tree: of the result, with conflict markers."""

    ours: str
    theirs: str
    tree: str
    conflicts: list[Conflict]


async def merge(call: Call, repository: GitRepository, ours: str, theirs: str) -> Conflicts | None:
    """What is in conflict between two commits, given by their ids; None when nothing is.

    repository: the call's, with a quarantine that takes the new objects and is thrown away. Raises
    CommandFailed and MalformedMerge.
    """
    flags = ["-z", "--write-tree", "--allow-unrelated-histories"]
    command = Command(name="merge-tree", flags=flags, args=[ours, theirs])
    async with head_attributes(call) as attributes:
        config = [("core.fsync", "none"), *attributes]
        finished = await call.app.git.run(repository, command, config=config)
    if finished.status != _CONFLICTS or not finished.stdout:
        finished.check()
        return None
    merged = parse_merge(finished.stdout)
    return Conflicts(ours, theirs, merged.tree, _by_path(merged.stages))


def _by_path(stages: Iterable[Stage]) -> list[Conflict]:
    conflicts: dict[bytes, Conflict] = {}
    for stage in stages:
        conflict = conflicts.setdefault(stage.path, Conflict())
        if stage.number == _ANCESTOR:
            conflict.ancestor_path = stage.path
        elif stage.number == _OURS:
            conflict.our_path, conflict.our_mode = stage.path, stage.mode
        elif stage.number == _THEIRS:
            conflict.their_path = stage.path
    return list(conflicts.values())
