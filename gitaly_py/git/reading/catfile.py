"""One `git cat-file --batch-command` process: requests out, replies in.

git 2.39 takes requests ended by NUL but ends replies with LF (`-z`); from 2.42 both end with NUL (`-Z`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic

from gitaly_py.git.commands import Command
from gitaly_py.git.process import PIPE, Git, Process, Stderr
from gitaly_py.git.reading.effort import Effort
from gitaly_py.git.reading.errors import AmbiguousRevision, ObjectTooLarge, ObjectUnreadable
from gitaly_py.git.reading.interface import LARGEST_READ, GitObject, ObjectInfo
from gitaly_py.git.reading.revisions import is_relative_path
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire import catfile
from gitaly_py.git.wire.catfile import Absent
from gitaly_py.telemetry import metrics

_WINDOWS = 4
"""Groups of requests that fit the pipe to git. If they did not, both sides would wait for each other."""

_NOTHING = b"^"
"""A revision that can be asked and is never there."""

_NUL_OUTPUT = (2, 42)

_LIKE_HEADER = re.compile(rb"[^ ]* (?:commit|tree|blob|tag) [0-9]+")

_HEADERS = {end: re.compile(rb"([0-9a-f]+) (commit|tree|blob|tag) ([0-9]+)" + end) for end in (b"\n", b"\0")}
"""What replies begin with that tell of an object, by the byte after each."""

_TYPES = {kind.encode(): kind for kind in ("commit", "tree", "blob", "tag")}

_LOOKUPS = {kind: metrics.catfile_lookups.labels(kind) for kind in ("info", "commit", "tree", "blob", "tag")}

_REQUESTS: dict[Callable[[bytes], bytes], str] = {
    catfile.info: "request_info",
    catfile.contents: "request_object",
}


class CatFile:
    """A running process. Every request's reply must be taken, in the order of the requests.

    room: bytes of requests that may be sent before their replies are taken. window: a part of them.
    """

    def __init__(self, process: Process, end: bytes) -> None:
        """end: the byte after each reply."""
        self._process = process
        self._end = end
        self._headers = _HEADERS[end]
        self._effort = Effort()
        self._outstanding = 0
        self._buffer = b""
        self._at = 0
        self.room = process.stdin.capacity if process.stdin is not None else 0
        self.window = self.room // _WINDOWS

    @property
    def clean(self) -> bool:
        """Whether every reply was read to its end, and the process can be used again."""
        return self._outstanding == 0 and self._process.returncode is None

    def can_ask(self, revision: bytes) -> bool:
        """False for what names nothing and would make git end, or its reply unreadable."""
        if not revision or is_relative_path(revision):
            return False
        if self._end == b"\0" or b" " not in revision:
            return True
        return not _LIKE_HEADER.fullmatch(revision.partition(b"\n")[0])

    def askable(self, revisions: list[bytes]) -> list[bytes]:
        """The revisions, with something that is never there in place of what can't be asked."""
        joined = b"/".join(revisions)
        if b":" not in joined and b" " not in joined and b"" not in revisions:
            return revisions
        return [each if self.can_ask(each) else _NOTHING for each in revisions]

    def expect_much(self) -> None:
        """Lets git read ahead of who takes the replies."""
        if self._process.stdout is not None:
            self._process.stdout.widen()

    async def send(self, request: Callable[[bytes], bytes], revisions: Sequence[bytes]) -> None:
        """Asks for info or contents of revisions that can be asked, within `room`."""
        self._outstanding += len(revisions)
        self._effort.counts[_REQUESTS[request]] += len(revisions)
        stdin = self._process.stdin
        began = monotonic()
        # Whoever takes the first reply learns that git has gone, and why.
        with suppress(BrokenPipeError):
            if stdin is not None:
                await stdin.write(b"".join(map(request, revisions)) + catfile.FLUSH + b"\0")
        self._effort.add("flush", monotonic() - began)

    async def info(self, revision: bytes) -> ObjectInfo | None:
        """The reply to `info`. Raises AmbiguousRevision, ObjectUnreadable, MalformedReply."""
        _LOOKUPS["info"].inc()
        began = monotonic()
        info = await self._header(revision)
        self._outstanding -= info is not None
        self._effort.add("read_info", monotonic() - began)
        return info

    async def contents(self, revision: bytes) -> GitObject | None:
        """The reply to `contents`. Raises as `info`, and ObjectTooLarge."""
        began = monotonic()
        info = await self._header(revision)
        if info is None:
            return None
        _LOOKUPS[info.type].inc()
        if info.size > LARGEST_READ:
            raise ObjectTooLarge(info.oid, info.size)
        if len(self._buffer) - self._at <= info.size:
            await self._fill(info.size + 1, revision)
        data = self._buffer[self._at : self._at + info.size]
        self._at += info.size + 1
        self._outstanding -= 1
        self._effort.add("read_object", monotonic() - began)
        return GitObject(info.oid, info.type, data)

    async def infos(self, revisions: Sequence[bytes]) -> list[ObjectInfo | None]:
        """The next replies to `info`, at least one, at most that of each revision. Raises as `info`."""
        began = monotonic()
        ready = self._ready_infos(len(revisions))
        if not ready:
            return [await self.info(revisions[0])]
        _LOOKUPS["info"].inc(len(ready))
        self._effort.add("read_info", monotonic() - began, len(ready))
        return [*ready]

    async def objects(self, revisions: Sequence[bytes]) -> list[GitObject | None]:
        """The same for `contents`. Raises as `contents`."""
        began = monotonic()
        ready = self._ready_objects(len(revisions))
        if not ready:
            return [await self.contents(revisions[0])]
        for kind, count in Counter(each.type for each in ready).items():
            _LOOKUPS[kind].inc(count)
        self._effort.add("read_object", monotonic() - began, len(ready))
        return [*ready]

    def _ready_infos(self, most: int) -> list[ObjectInfo]:
        """The next replies, taken, as far as they have arrived and tell of objects."""
        found: list[ObjectInfo] = []
        buffer, at, match = self._buffer, self._at, self._headers.match
        while len(found) < most and (header := match(buffer, at)) is not None:
            oid, kind, size = header.groups()
            at = header.end()
            found.append(ObjectInfo(oid.decode("ascii"), _TYPES[kind], int(size)))
        self._at = at
        self._outstanding -= len(found)
        return found

    def _ready_objects(self, most: int) -> list[GitObject]:
        """The same for replies with content, all of which must have arrived."""
        found: list[GitObject] = []
        buffer, at, match = self._buffer, self._at, self._headers.match
        arrived = len(buffer)
        while len(found) < most and (header := match(buffer, at)) is not None:
            oid, kind, size = header.groups()
            start = header.end()
            stop = start + int(size)
            if stop >= arrived:
                break
            at = stop + 1
            found.append(GitObject(oid.decode("ascii"), _TYPES[kind], buffer[start:stop]))
        self._at = at
        self._outstanding -= len(found)
        return found

    def report(self) -> None:
        """Adds what was done since the last report to the fields of the call in progress."""
        effort, self._effort = self._effort, Effort()
        effort.report()

    async def _header(self, revision: bytes) -> ObjectInfo | None:
        """The first line of a reply; it is the whole reply if the object was not found."""
        line = await self._line(revision)
        if self._end == b"\n" and line == revision.partition(b"\n")[0]:
            # The reply repeats the revision, line ends included.
            for _ in range(revision.count(b"\n")):
                line += b"\n" + await self._line(revision)
        header = catfile.parse_header(line)
        if not isinstance(header, Absent):
            return ObjectInfo(*header)
        self._outstanding -= 1
        if header is Absent.AMBIGUOUS:
            raise AmbiguousRevision(revision)
        return None

    async def _line(self, revision: bytes) -> bytes:
        while (found := self._buffer.find(self._end, self._at)) < 0:
            await self._fill(len(self._buffer) - self._at + 1, revision)
        line = self._buffer[self._at : found]
        self._at = found + 1
        return line

    async def _fill(self, size: int, revision: bytes) -> None:
        """Reads until there are `size` bytes not yet taken. Raises ObjectUnreadable when git ends before."""
        pieces = [self._buffer[self._at :]]
        missing = size - len(pieces[0])
        while missing > 0:
            piece = await self._process.read()
            if not piece:
                await self._process.wait()
                reason = _last_words(self._process.stderr.decode("utf-8", "replace").strip())
                raise ObjectUnreadable(revision.decode("utf-8", "replace"), reason or "git cat-file ended")
            pieces.append(piece)
            missing -= len(piece)
        self._buffer, self._at = b"".join(pieces), 0


def _last_words(stderr: str) -> str:
    """Why git ended. What stands before that may be about requests of others."""
    _, fatal, reason = f"\n{stderr}".rpartition("\nfatal: ")
    return fatal.lstrip() + reason if fatal else stderr


@asynccontextmanager
async def running(git: Git, repository: GitRepository) -> AsyncIterator[CatFile]:
    """A new process, which ends with the block."""
    both = git.version_tuple >= _NUL_OUTPUT
    command = Command(name="cat-file", flags=["-Z" if both else "-z", "--batch-command", "--buffer"])
    async with git.start(repository, command, stdin=PIPE, stderr=Stderr.KEEP) as process:
        metrics.catfile_processes.inc()
        metrics.catfile_processes_total.inc()
        try:
            yield CatFile(process, b"\0" if both else b"\n")
        finally:
            metrics.catfile_processes.dec()
