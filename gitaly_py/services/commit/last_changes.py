"""Which commit changed each of many paths last: one walk for all of them (commit.md 3.3).

`git rev-list --parents` gives the history and `git diff-tree --stdin` the differences along it, both as far
as the search has got and little further. The result for a path is that of `git log -1 <revision> -- <path>`.

Where few of very many commits change what is looked for, git finds them faster itself, with the help of a
commit-graph's Bloom filters. Since a path goes on in the first parent if it is the same there, the commits
that differ from their first parents in any of the paths are all that matter of a chain of first parents.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.namestatus import SYNC, Comparison, NameStatus
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.telemetry.turns import turn

_WINDOW = 256
"""Commits given to diff-tree at a time, after which it writes out what it has."""

_TURN = 1024
"""Tokens of its output that are looked at in a row: two milliseconds' work."""

_FEW = 1
"""Paths that git finds faster by a walk for each of them."""

_SOME = 8
"""Paths to which git limits a walk for little more than the walk."""

_LONG = 512
"""Commits that are visited faster than a walk limited to some paths begins."""

_BUFFERED = {"GIT_FLUSH": "0"}
"""Saves git a write for each commit."""


class Changes(NamedTuple):
    """Paths whose last change is the commit."""

    commit: bytes
    paths: set[bytes]


class Search:
    """Paths on their way back through history. Each is carried by one commit at a time, as git simplifies it:
    from a commit on to the first parent in which it is the same, until it differs from every parent.

    carried: the paths by the commits that carry them. left: how many there are.
    """

    def __init__(self, start: bytes, paths: Iterable[bytes]) -> None:
        """start: the commit that carries all of them first."""
        self.carried = {start: set(paths)}
        self.left = len(self.carried[start])

    def paths(self) -> list[bytes]:
        """Those that are carried."""
        return [path for paths in self.carried.values() for path in paths]

    def move(self, commit: bytes, ancestor: bytes) -> None:
        """Has an ancestor carry what `commit` does: every commit between them leaves that as it was."""
        if commit != ancestor:
            self._hand_on(ancestor, self.carried.pop(commit, set()))

    def visit(
        self, commit: bytes, parents: Sequence[bytes], changes: Sequence[Iterable[bytes]]
    ) -> set[bytes]:
        """The carried paths whose last change is `commit`; hands the others on.

        changes: for each parent, the paths in which the commit differs from it, which may be others too.
        """
        here = self.carried.pop(commit, set())
        for parent, changed in zip(parents, changes, strict=True):
            differing = here.intersection(changed)
            # In place, since there may be many paths, and few of them change in one commit.
            here -= differing
            self._hand_on(parent, here)
            here = differing
        self.left -= len(here)
        return here

    def _hand_on(self, parent: bytes, paths: set[bytes]) -> None:
        if not paths:
            return
        there = self.carried.get(parent)
        if there is None:
            self.carried[parent] = paths
            return
        fewer, more = sorted((there, paths), key=len)
        more |= fewer
        self.carried[parent] = more


async def last_changes(
    git: Git, repository: GitRepository, start: str, folder: bytes, paths: Iterable[bytes]
) -> AsyncGenerator[Changes]:
    """The last changes of entries of one folder, the youngest first as far as clocks tell.

    start: the id of the commit to look from, which has all of the paths. folder: empty for the root.
    Raises CommandFailed.
    """
    first = start.encode()
    search = Search(first, paths)
    async with aclosing(_walked(git, repository, folder, search, most=_LONG)) as found:
        async for changes in found:
            yield changes
    left = search.paths()
    if len(left) > _FEW and (folder or len(left) <= _SOME):
        search = Search(first, left)
        async with aclosing(_followed(git, repository, folder, search, first)) as found:
            async for changes in found:
                yield changes
    # Once is enough, unless a clock was wrong: then a commit may have come before a child of it that hands
    # paths on to it. Each walk begins with the commits that carry paths, so that each brings them further.
    while search.left > _FEW:
        async with aclosing(_walked(git, repository, folder, search)) as found:
            async for changes in found:
                yield changes
    for commit, carried in search.carried.items():
        for path in carried:
            yield Changes(await _last_change(git, repository, commit, path), {path})


async def _walked(
    git: Git, repository: GitRepository, folder: bytes, search: Search, *, most: int = sys.maxsize
) -> AsyncGenerator[Changes]:
    """What one walk finds, until few paths are left, `most` commits are visited or history ends."""
    if search.left <= _FEW:
        return
    command = Command(name="rev-list", flags=["--parents", "--stdin"])
    starts = b"".join(commit + b"\n" for commit in search.carried)
    visited = 0
    async with (
        git.start(repository, command, stdin=starts, env=_BUFFERED, stderr=Stderr.KEEP) as walk,
        aclosing(_compared(git, repository, walk, folder)) as compared,
    ):
        async for visits in compared:
            for visit in visits:
                if visit.commit not in search.carried:
                    continue
                decided = visit.decided(search, folder)
                if decided:
                    yield Changes(visit.commit, decided)
                if search.left <= _FEW:
                    return
            visited += len(visits)
            if visited >= most:
                return


async def _followed(
    git: Git, repository: GitRepository, folder: bytes, search: Search, start: bytes
) -> AsyncGenerator[Changes]:
    """What is found on the way of the first parents of `start`, which carries all paths.

    Ends when few paths are left, or none on this way: others may carry those that a merge has of them.
    """
    command = Command(
        name="rev-list",
        flags=["--first-parent", "--no-commit-header", "--format=%H% P", "--stdin"],
        paths=[folder] if folder else list(search.carried[start]),
        global_flags=["--literal-pathspecs"],
    )
    carrier = start
    async with (
        git.start(repository, command, stdin=start + b"\n", stderr=Stderr.KEEP) as walk,
        aclosing(_compared(git, repository, walk, folder)) as compared,
    ):
        async for visits in compared:
            for visit in visits:
                search.move(carrier, visit.commit)
                decided = visit.decided(search, folder)
                if decided:
                    yield Changes(visit.commit, decided)
                carrier = visit.parents[0] if visit.parents else b""
                if search.left <= _FEW or carrier not in search.carried:
                    return


async def _last_change(git: Git, repository: GitRepository, start: bytes, path: bytes) -> bytes:
    """The last change of one path, literally, that the commit `start` has. Raises CommandFailed."""
    command = Command(
        name="log",
        flags=["--format=%H", "--max-count=1"],
        args=[start],
        paths=[path],
        global_flags=["--literal-pathspecs"],
    )
    found = await git.run(repository, command)
    return found.check().stdout.strip()


class _Visit(NamedTuple):
    """A commit, and for each parent the names that differ."""

    commit: bytes
    parents: list[bytes]
    changes: list[list[bytes]]

    def decided(self, search: Search, folder: bytes) -> set[bytes]:
        """The entries of `folder` whose last change it is."""
        changes = [_entries(names, folder) for names in self.changes]
        return search.visit(self.commit, self.parents, changes)


async def _compared(
    git: Git, repository: GitRepository, walk: Process, folder: bytes
) -> AsyncGenerator[list[_Visit]]:
    """Every commit of the walk, in its order, compared with its parents.

    Only entries of the root are compared as such; elsewhere git names the files below them, too.
    """
    flags: list[Flag] = ["--stdin", "--always", "--name-status", "-z", *(["-r"] if folder else [])]
    command = Command(
        name="diff-tree",
        flags=flags,
        paths=[folder] if folder else None,
        global_flags=["--literal-pathspecs"],
    )
    tasks: set[asyncio.Task[Any]] = set()
    async with git.start(repository, command, stdin=PIPE, env=_BUFFERED, stderr=Stderr.KEEP) as process:
        comparing = _Comparing()
        asking = spawn(comparing.ask(walk, process), name="commits to compare", owner=tasks)
        try:
            async for tokens in process.batches(b"\0"):
                for at in range(0, len(tokens), _TURN):
                    yield comparing.answered(tokens[at : at + _TURN])
                    await turn()
            await asking
            await process.check()
            await walk.check()
            yield comparing.ended()
        finally:
            await end_all(tasks)


class _Comparing:
    """Brings the answers of diff-tree together with the commits that were asked for."""

    def __init__(self) -> None:
        self._parser = NameStatus()
        self._pending: deque[list[bytes]] = deque()
        self._changes: list[list[bytes]] = []

    async def ask(self, walk: Process, process: Process) -> None:
        """Has every commit of a rev-list compared with each of its parents by a diff-tree."""
        stdin = process.stdin
        if stdin is None:
            raise ValueError("standard input is no pipe")
        try:
            async for lines in walk.batches(b"\n"):
                for at in range(0, len(lines), _WINDOW):
                    commits = [line.split(b" ") for line in lines[at : at + _WINDOW]]
                    self._pending += commits
                    await stdin.write(b"".join(_edges(commits)) + SYNC)
        except BrokenPipeError:
            return  # its status says why
        finally:
            stdin.close()

    def answered(self, tokens: Sequence[bytes]) -> list[_Visit]:
        """The commits that these tokens make an end of."""
        return self._visits(self._parser.feed(tokens))

    def ended(self) -> list[_Visit]:
        """Those that the end of the output makes an end of."""
        return self._visits(self._parser.end())

    def _visits(self, comparisons: list[Comparison]) -> list[_Visit]:
        visits = self._done()
        for comparison in comparisons:
            self._changes.append(comparison.changed)
            visits += self._done()
        return visits

    def _done(self) -> list[_Visit]:
        """The next commits whose parents are all compared; a root is so from the beginning."""
        done: list[_Visit] = []
        while self._pending and len(self._pending[0]) - 1 == len(self._changes):
            commit, *parents = self._pending.popleft()
            done.append(_Visit(commit, parents, self._changes))
            self._changes = []
        return done


def _edges(commits: Iterable[list[bytes]]) -> list[bytes]:
    """Each commit with each of its parents, as lines for diff-tree."""
    return [b"%b %b\n" % (commit, parent) for commit, *parents in commits for parent in parents]


def _entries(names: Iterable[bytes], folder: bytes) -> Iterable[bytes]:
    """The entries of `folder` in or below which these names are."""
    if not folder:
        return names
    begin = len(folder) + 1
    return (name if (end := name.find(b"/", begin)) < 0 else name[:end] for name in names)
