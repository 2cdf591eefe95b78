"""The packed-refs file of the files backend.

Format: a header `# pack-refs with: <traits>`, then lines `<hex> SP <name>` in byte order of the names, each
followed by `^<hex>` if the reference is a tag: the id it peels to (ref-blob.md 9). The file is only ever
replaced by rename, so one that is open or mapped is a snapshot.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, Sequence

from gitaly_py.git.reading.errors import ReferencesUnreadable
from gitaly_py.git.reading.interface import References
from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp

_HEX = re.compile(rb"[0-9a-f]+ ")

_MAPPED = 1 << 20
"""Smaller files are copied into memory, which costs less than a mapping and a file handle each."""

_FIRST_CHUNK = 4 << 10
_LAST_CHUNK = 256 << 10
_CHUNK_GROWTH = 8
"""Bytes of the file for each batch: a short page reads little, a long listing stays a few ms a batch."""

_TEXT = 64 << 10
"""Bytes of entries that are taken as text at a time: for about a millisecond's work."""

_SEARCHED = 2 << 20
"""Bytes searched for an id at a stretch: about a millisecond."""

_KEPT = 256
"""Answers of `find` that are kept: a search takes a step for each doubling of the file."""

Buffer = bytes | mmap.mmap


class PackedReferences:
    """One state of packed-refs. peeled: it says of every reference what it peels to."""

    def __init__(self, data: Buffer, hex_length: int) -> None:
        """data: the whole file. Raises ValueError when it is damaged."""
        header = b""
        if data[:1] == b"#":
            header = data[: data.find(b"\n") + 1]
        if len(data) > len(header) and data[-1:] != b"\n":
            raise ValueError("unterminated line")
        traits = header.split()
        self.peeled = b"fully-peeled" in traits
        self._tags_peeled = b"peeled" in traits
        self._hex = hex_length
        self._entry = re.compile(rb"(.{%d}) (.+)\n(?:\^(.{%d})\n)?" % (hex_length, hex_length))
        self._data = data
        self._begin = len(header)
        if b"sorted" not in traits:
            self._data, self._begin = self._sorted(data[len(header) :]), 0
        self._end = len(self._data)
        self._found: dict[bytes, str | None] = {}

    def find(self, name: bytes) -> str | None:
        """The id of the reference of that name."""
        if name in self._found:
            return self._found[name]
        if len(self._found) >= _KEPT:
            self._found.clear()
        self._found[name] = found = self._searched(name)
        return found

    def _searched(self, name: bytes) -> str | None:
        at = self._lower_bound(name)
        line = self._data[at : at + self._hex + len(name) + 2]
        if line[self._hex + 1 :] != name + b"\n" or not _HEX.match(line):
            return None
        return line[: self._hex].decode("latin-1")

    def span(self, prefix: bytes, *, after: bytes = b"", descending: bool = False) -> tuple[int, int]:
        """Where the entries of a prefix begin and end; `after` as in ReferenceReader.references."""
        begin = self._lower_bound(prefix)
        beyond = _beyond(prefix)
        end = self._lower_bound(beyond) if beyond else self._end
        if not after:
            return begin, end
        if descending:
            return begin, max(begin, min(end, self._lower_bound(after)))
        return min(end, max(begin, self._lower_bound(after + b"\0"))), end

    def batches(self, begin: int, end: int, *, descending: bool = False) -> Iterator[References]:
        """The entries of a span in growing batches, each ascending; the last batch first if descending."""
        size = _FIRST_CHUNK
        while begin < end:
            if descending:
                cut = self._entry_start(max(begin, end - size), begin)
                yield self._columns(self._data[cut:end])
                end = cut
            else:
                cut = self._next_entry(min(end, begin + size) - 1, end)
                yield self._columns(self._data[begin:cut])
                begin = cut
            size = min(size * _CHUNK_GROWTH, _LAST_CHUNK)

    def texts(self, begin: int, end: int) -> Iterator[bytes]:
        """The entries of a span as they stand in the file, some at a time."""
        while begin < end:
            cut = self._next_entry(min(end, begin + _TEXT) - 1, end)
            yield self._data[begin:cut]
            begin = cut

    def holders(self, oid: str) -> Iterator[list[tuple[bytes, str]]]:
        """Name and value of references that lead to `oid` by value or when peeled; one list a stretch."""
        needle = oid.encode("ascii")
        for begin in range(self._begin, self._end, _SEARCHED):
            end = min(self._end, begin + _SEARCHED + len(needle) - 1)
            found = []
            at = self._data.find(needle, begin, end)
            while at >= 0:
                if self._is_id(at):
                    found.append(self._entry_of(at))
                at = self._data.find(needle, at + len(needle), end)
            yield found

    def _is_id(self, at: int) -> bool:
        """Whether what stands there is a value or a peeled value, not digits within a name."""
        if at > self._begin and self._data[at - 1 : at] == b"^":
            at -= 1
        return at == self._begin or self._data[at - 1 : at] == b"\n"

    def _entry_of(self, at: int) -> tuple[bytes, str]:
        start = self._entry_start(at, self._begin)
        line = self._data[start : self._data.find(b"\n", start)]
        return line[self._hex + 1 :], line[: self._hex].decode("latin-1")

    def _lower_bound(self, name: bytes) -> int:
        """Where the first entry begins whose name is `name` or greater."""
        data, low, high = self._data, self._begin, self._end
        while low < high:
            start = self._entry_start((low + high) // 2, low)
            line_end = data.find(b"\n", start)
            if data[start + self._hex + 1 : line_end] < name:
                low = self._after_entry(line_end + 1)
            else:
                high = start
        return low

    def _entry_start(self, at: int, begin: int) -> int:
        """The start of the entry around `at`, given that one starts at `begin`."""
        start = self._data.rfind(b"\n", begin, at) + 1 or begin
        if self._data[start : start + 1] == b"^":
            start = self._data.rfind(b"\n", begin, start - 1) + 1 or begin
        return start

    def _next_entry(self, at: int, end: int) -> int:
        """The start of the first entry beyond the line around `at`, or `end`."""
        line_end = self._data.find(b"\n", at, end)
        return end if line_end < 0 else self._after_entry(line_end + 1)

    def _after_entry(self, at: int) -> int:
        """Skips the peeled line that may stand at `at`."""
        return at + self._hex + 2 if self._data[at : at + 1] == b"^" else at

    def _columns(self, chunk: bytes) -> References:
        if b"\n^" not in chunk:
            fields = chunk.split()
            names = fields[1::2]
            if 2 * len(names) == len(fields) and len(names) == chunk.count(b"\n"):
                oids = b" ".join(fields[::2]).decode("latin-1").split()
                return References(names, oids, self._unpeeled(names, oids))
        return self._columns_with_peeled(chunk)

    def _columns_with_peeled(self, chunk: bytes) -> References:
        entries = self._entry.findall(chunk)
        if not entries:
            return References([], [], [])
        values, names, tags = zip(*entries, strict=True)
        oids = b" ".join(values).decode("latin-1").split(" ")
        known = self._unpeeled(names, oids)
        peeled = b" ".join(tags).decode("latin-1").split(" ")
        return References(list(names), oids, [tag or own for tag, own in zip(peeled, known, strict=True)])

    def _unpeeled(self, names: Sequence[bytes], oids: list[str]) -> list[str | None]:
        """What the absence of a peeled line says: no tag, or nothing."""
        if self.peeled:
            return list(oids)
        if self._tags_peeled:
            pairs = zip(names, oids, strict=True)
            return [oid if name.startswith(b"refs/tags/") else None for name, oid in pairs]
        return [None] * len(names)

    def _sorted(self, entries: bytes) -> bytes:
        found = sorted(self._entry.finditer(entries), key=lambda entry: entry[2])
        return b"".join(entry[0] for entry in found)


class PackedFile:
    """The current state of a repository's packed-refs, read again only when the file has changed.

    Whoever keeps a state keeps its mapping; this object keeps one at most.
    """

    def __init__(self, repository_path: str, hex_length: int) -> None:
        self._path = f"{repository_path}/packed-refs"
        self._hex = hex_length
        self._empty = self._state = PackedReferences(b"", hex_length)
        self._stamp: Stamp | None = None

    def current(self) -> PackedReferences:
        """Raises ReferencesUnreadable when the file is damaged, OSError when it can't be read."""
        if self._state is self._empty:
            if os.access(self._path, os.F_OK):
                self._load()
        elif self._stamp is None or not is_unchanged(self._path, self._stamp):
            self._load()
        return self._state

    def _load(self) -> None:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._state, self._stamp = self._empty, None
            return
        try:
            read_at = now()
            version = stamp(handle)
            self._state = PackedReferences(_contents(handle), self._hex)
        except ValueError as error:
            raise ReferencesUnreadable(self._path, str(error)) from error
        finally:
            os.close(handle)
        self._stamp = version if version and version.settled(read_at) else None


def _contents(handle: int) -> Buffer:
    size = os.fstat(handle).st_size
    if size >= _MAPPED:
        return mmap.mmap(handle, size, prot=mmap.PROT_READ)
    with open(handle, "rb", closefd=False) as file:
        return file.read()


def _beyond(prefix: bytes) -> bytes:
    """The least name greater than every name with that prefix; empty if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b""
