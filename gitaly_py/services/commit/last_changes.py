"""Which commit changed each of many paths last: one walk for all of them (commit.md 3.3).

`git rev-list --parents` gives the history and `git diff-tree --stdin` the differences along it, both as far
as the search has got and little further. The result for a path is that of `git log -1 <revision> -- <path>`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.errors import MalformedOutput
from gitaly_py.git.wire.namestatus import SYNC, Comparison, NameStatus

_WINDOW = 192
"""Comparisons asked for at a time. Two such requests fit into a pipe of 64 KiB, so that writing them never
waits for a git that waits for its output to be read."""

_FEW = 1
"""Paths that git finds faster by a walk for each of them."""

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
    search = Search(start.encode(), paths)
    if search.left > _FEW:
        async with aclosing(_walked(git, repository, start, folder, search)) as found:
            async for changes in found:
                yield changes
    # Beside those few, what a commit carries that, by a clock that was wrong, came before its children.
    for commit, left in search.carried.items():
        for path in left:
            yield Changes(await _last_change(git, repository, commit, path), {path})


async def _walked(
    git: Git, repository: GitRepository, start: str, folder: bytes, search: Search
) -> AsyncGenerator[Changes]:
    """What one walk finds, until few paths are left or history ends."""
    command = Command(name="rev-list", flags=["--parents"], args=[start])
    async with (
        git.start(repository, command, env=_BUFFERED, stderr=Stderr.KEEP) as walk,
        aclosing(_compared(git, repository, walk, folder)) as visited,
    ):
        async for visits in visited:
            for commit, parents, changes in visits:
                if commit not in search.carried:
                    continue
                decided = search.visit(commit, parents, [_entries(names, folder) for names in changes])
                if decided:
                    yield Changes(commit, decided)
                if search.left <= _FEW:
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
    async with git.start(repository, command, stdin=PIPE, env=_BUFFERED, stderr=Stderr.KEEP) as process:
        comparing = _Comparing(process)
        async for lines in walk.batches(b"\n"):
            async with aclosing(comparing.ask(lines)) as done:
                async for visits in done:
                    yield visits
        await walk.check()
        async with aclosing(comparing.rest()) as done:
            async for visits in done:
                yield visits
        await process.check()


class _Comparing:
    """A diff-tree at work. Each window is asked for before the replies to the last one are read, so that git
    always has something to do."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._output = process.batches(b"\0")
        self._parser = NameStatus()
        self._pending: deque[list[bytes]] = deque()
        self._changes: list[list[bytes]] = []
        self._outstanding = 0

    async def ask(self, lines: Sequence[bytes]) -> AsyncGenerator[list[_Visit]]:
        """Compares commits, given as rev-list prints them; yields those that are done by now."""
        commits = [line.split(b" ") for line in lines]
        self._pending += commits
        edges = [b"%b %b\n" % (commit, parent) for commit, *parents in commits for parent in parents]
        for at in range(0, len(edges), _WINDOW):
            window = edges[at : at + _WINDOW]
            self._outstanding += len(window)
            await self._write(b"".join(window) + SYNC)
            while self._outstanding > len(window):
                yield self._visits(self._parser.feed(await self._more()))

    async def rest(self) -> AsyncGenerator[list[_Visit]]:
        """Those that are not done yet."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        async for tokens in self._output:
            yield self._visits(self._parser.feed(tokens))
        yield self._visits(self._parser.end())

    async def _more(self) -> list[bytes]:
        tokens = await anext(self._output, None)
        if tokens is None:
            await self._process.check()
            raise MalformedOutput("diff-tree ended before its input")
        return tokens

    async def _write(self, data: bytes) -> None:
        # If git is gone, so is its output, and its status says why.
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                await self._process.stdin.write(data)

    def _visits(self, comparisons: list[Comparison]) -> list[_Visit]:
        self._outstanding -= len(comparisons)
        visits: list[_Visit] = []
        for comparison in comparisons:
            self._take_done(visits)
            self._changes.append(comparison.changed)
        self._take_done(visits)
        return visits

    def _take_done(self, visits: list[_Visit]) -> None:
        """Moves the commits whose parents are all compared to `visits`; a root is so from the beginning."""
        while self._pending and len(self._pending[0]) - 1 == len(self._changes):
            commit, *parents = self._pending.popleft()
            visits.append(_Visit(commit, parents, self._changes))
            self._changes = []


def _entries(names: Iterable[bytes], folder: bytes) -> Iterable[bytes]:
    """The entries of `folder` in or below which these names are."""
    if not folder:
        return names
    begin = len(folder) + 1
    return (name if (end := name.find(b"/", begin)) < 0 else name[:end] for name in names)
