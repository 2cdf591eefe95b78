"""The parsers: pieces of git's output in, changed files out, each as soon as its patch is complete.

Memory holds the raw lines whose files are still to come, and one file's patch; of a patch that limits leave
out, next to nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitaly_py.git.wire.diff.entries import NOTHING, Entry, parse_entries
from gitaly_py.git.wire.diff.limits import Limits, Tally, Verdict
from gitaly_py.git.wire.diff.patch import Patch
from gitaly_py.git.wire.errors import MalformedDiff

_HEADER = b"\ndiff --git "
_LONG_LINE = 64 * 1024
"""Bytes of a line from which it is taken in parts."""


class FileDiff(NamedTuple):
    """One changed file.

    patch_size: bytes of the patch, also when it was left out. overflow: a limit of the whole diff was
    reached; without collect_all_paths this is the last one, and nothing else is told of the file.
    """

    entry: Entry
    patch: bytes = b""
    patch_size: int = 0
    binary: bool = False
    lines_added: int = 0
    lines_removed: int = 0
    collapsed: bool = False
    too_large: bool = False
    overflow: bool = False


class PatchParser:
    """Parses patches of known files.

    entries: the files, in the order of their patches; not all need have one. any_header: the next patch
    belongs to the next file, whatever its header says. drop_unpatched: a file whose content alone was
    modified is left out when it has no patch, and not counted: only its white space differs.

    done: a limit ended the diff; what follows is of no interest.
    """

    def __init__(
        self,
        entries: Iterator[Entry],
        limits: Limits,
        *,
        any_header: bool = False,
        drop_unpatched: bool = False,
    ) -> None:
        self.done = False
        self._entries = entries
        self._limits = limits
        self._tally = Tally(limits)
        self._any_header = any_header
        self._drop_unpatched = drop_unpatched
        self._entry = NOTHING
        self._patch: Patch | None = None
        self._in_line = False
        self._rest = b"\n"

    def feed(self, data: bytes) -> Iterator[FileDiff]:
        """The files that are complete with these bytes; to be used up before the next ones are fed.

        Raises MalformedDiff.
        """
        if self._in_line:
            data = self._end_line(data)
        if data and not self.done:
            buffer = self._rest + data
            last = buffer.rfind(b"\n")
            yield from self._take(buffer, last)
            self._rest = buffer[last:]
        self._look_ahead()

    def finish(self) -> Iterator[FileDiff]:
        """The files that are left when git has ended. Raises MalformedDiff."""
        if self.done:
            return
        if len(self._rest) > 1:
            yield from self._take(self._rest, len(self._rest))
        if self._patch is not None:
            yield self._closed(self._patch)
        for entry in self._entries:
            if self.done:
                return
            yield from self._without_patch(entry)

    def _take(self, buffer: bytes, last: int) -> Iterator[FileDiff]:
        """The lines between the line end at 0 and that at `last`."""
        at = 0
        while at < last:
            if buffer.startswith(_HEADER, at):
                if self._patch is not None:
                    yield self._closed(self._patch)
                    if self.done:
                        return
                end = _found(buffer.find(b"\n", at + 1), last)
                yield from self._before(buffer[at + 1 : end])
            elif self._patch is None:
                raise MalformedDiff("diff header regexp mismatch")
            else:
                end = _found(buffer.find(_HEADER, at, last), last)
                self._patch.take(buffer, at, end)
            at = end

    def _look_ahead(self) -> None:
        """Takes as much as can be of a long line without waiting for its end; drops what is not wanted."""
        patch = self._patch
        if patch is None:
            return
        if len(self._rest) > _LONG_LINE and patch.can_take_part(self._rest, 0):
            patch.take(self._rest, 0, len(self._rest))
            self._rest = b""
            self._in_line = True
        if patch.kept and self._tally.is_doomed(self._entry.to_path, patch):
            patch.drop()

    def _end_line(self, data: bytes) -> bytes:
        """Takes what belongs to the line that was begun; what follows it, from its line end on."""
        patch = self._patch
        end = data.find(b"\n")
        if patch is not None:
            patch.extend(data if end < 0 else data[: end + 1])
        if end < 0:
            return b""
        self._in_line = False
        return data[end:]

    def _before(self, header: bytes) -> Iterable[FileDiff]:
        """Begins the patch with that header; the files before it, which have none."""
        entry = next(self._entries, NOTHING)
        if self._is_of(entry, header):
            self._begin(entry)
            return ()
        return self._search(entry, header)

    def _search(self, entry: Entry, header: bytes) -> Iterator[FileDiff]:
        while not self._is_of(entry, header):
            if entry is NOTHING:
                raise MalformedDiff("patch of a file without a raw line")
            yield from self._without_patch(entry)
            entry = next(self._entries, NOTHING)
        self._begin(entry)

    def _is_of(self, entry: Entry, header: bytes) -> bool:
        return entry.header == header or (self._any_header and entry is not NOTHING)

    def _begin(self, entry: Entry) -> None:
        self._tally.begin()
        self._entry = entry
        self._patch = Patch(kept=not self._tally.over)

    def _closed(self, patch: Patch) -> FileDiff:
        """The file of a patch that is complete."""
        self._patch = None
        entry = self._entry
        verdicts = self._tally.judge(entry.to_path, patch)
        overflow = Verdict.OVERFLOW in verdicts
        if overflow and not self._limits.collect_all_paths:
            self.done = True
            return FileDiff(NOTHING, overflow=True)
        return FileDiff(
            entry,
            b"" if verdicts else patch.text,
            patch.size,
            patch.binary,
            patch.added,
            patch.removed,
            Verdict.COLLAPSED in verdicts,
            Verdict.TOO_LARGE in verdicts,
            overflow,
        )

    def _without_patch(self, entry: Entry) -> Iterator[FileDiff]:
        if self._drop_unpatched and entry.same_mode:
            return
        self._tally.begin()
        yield FileDiff(entry)


def _found(index: int, otherwise: int) -> int:
    return otherwise if index < 0 else index


class DiffParser:
    """Parses raw lines, an empty line and patches, which is what `git diff --raw --patch` prints.

    Arguments as of PatchParser. The patch of an only file may have any header, since two blobs are compared
    under two names, of which the raw line has one.
    """

    def __init__(self, limits: Limits, *, drop_unpatched: bool = False) -> None:
        self._limits = limits
        self._drop_unpatched = drop_unpatched
        self._raw: deque[bytes] = deque()
        self._rest = b""
        self._patches: PatchParser | None = None

    @property
    def done(self) -> bool:
        """A limit ended the diff; what follows is of no interest."""
        return self._patches is not None and self._patches.done

    def feed(self, data: bytes) -> Iterator[FileDiff]:
        """The files that are complete with these bytes; to be used up before the next ones are fed.

        Raises MalformedDiff.
        """
        if self._patches is None:
            data = self._take_raw(data)
        if self._patches is not None:
            yield from self._patches.feed(data)

    def finish(self) -> Iterator[FileDiff]:
        """The files that are left when git has ended. Raises MalformedDiff."""
        if self._patches is None:
            self._keep(self._rest)
            self._patches = self._begin()
        yield from self._patches.finish()

    def _take_raw(self, data: bytes) -> bytes:
        """Keeps raw lines; the bytes that belong to patches."""
        data = self._rest + data
        end = data.find(b"\n\n") + 1
        if end > 0:
            self._keep(data[:end])
            self._rest = b""
            self._patches = self._begin()
            return data[end + 1 :]
        # Not the last line: its end may be the first of two.
        whole = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
        self._keep(data[:whole])
        self._rest = data[whole:]
        return b""

    def _keep(self, lines: bytes) -> None:
        if lines:
            self._raw.append(lines)

    def _begin(self) -> PatchParser:
        lines = sum(chunk.count(b"\n") for chunk in self._raw)
        return PatchParser(
            _entries(self._raw), self._limits, any_header=lines == 1, drop_unpatched=self._drop_unpatched
        )


def _entries(chunks: deque[bytes]) -> Iterator[Entry]:
    while chunks:
        yield from parse_entries(chunks.popleft())
