"""Loose references: one small file each, named like the reference.

A file holds `<hex>` or `ref: <name>`; a symbolic link into `refs/` is an old form of the latter. What is
neither, or breaks git's rules for names, is a broken reference, which still hides a packed one of its name.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp_of

_LARGEST = 4096
"""Bytes of a reference's file that are looked at; names are shorter, since they are paths."""

_KEPT = 64
"""References of a repository whose values are kept: those that are asked for again and again are few."""

_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


class LooseReference(NamedTuple):
    """A reference's file. oid: its value; target: the name a symbolic one stands for; neither: broken."""

    oid: str | None
    target: bytes | None


class LooseReferences:
    """The files of one repository."""

    def __init__(self, repository_path: str, hex_length: int) -> None:
        self._root = os.fsencode(repository_path) + b"/"
        self._value = re.compile(rb"([0-9a-fA-F]{%d})(?:\s|\Z)" % hex_length)
        self._kept: dict[bytes, tuple[Stamp, LooseReference]] = {}
        self._folder: Stamp | None = None
        self._absent: set[bytes] = set()

    def read(self, name: bytes, folder: Stamp | None = None) -> LooseReference | None:
        """The reference of that name, None when there is no file. `name` must be a safe reference name.

        A file that is as it was is not opened again. folder: the stamp of the repository's folder, settled,
        by which a file that was not in it can't have come since. Raises OSError when it can't be read.
        """
        path = self._root + name
        kept = self._kept.get(name)
        if kept is not None:
            if is_unchanged(path, kept[0], follow_symlinks=False):
                return kept[1]
            del self._kept[name]
        elif folder is not None and b"/" not in name:
            if self._is_absent(name, path, folder):
                return None
        elif not os.access(path, os.F_OK, follow_symlinks=False):
            # Most names have no file, and an `open` in vain costs four times as much.
            return None
        read_at = now()
        reference, version = self._load(path)
        if reference is not None and version is not None and version.settled(read_at):
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = version, reference
        return reference

    def _is_absent(self, name: bytes, path: bytes, folder: Stamp) -> bool:
        """Whether there is nothing of that name in the repository's folder, whose stamp is `folder`."""
        if self._folder != folder or len(self._absent) >= _KEPT:
            self._folder, self._absent = folder, set()
        if name in self._absent:
            return True
        absent = not os.access(path, os.F_OK, follow_symlinks=False)
        if absent:
            self._absent.add(name)
        return absent

    def scan_all(self, prefix: bytes) -> dict[bytes, LooseReference]:
        """Every reference with that prefix, which begins with `refs/`.

        A file that vanishes meanwhile is left out: its reference is deleted, or packed by now.
        """
        return dict(self._scanned(prefix))

    def scan(self, prefix: bytes, *, at_most: int) -> dict[bytes, LooseReference] | None:
        """As `scan_all`, but gives up with None when there are more than `at_most` references."""
        found = dict(islice(self._scanned(prefix), at_most + 1))
        return found if len(found) <= at_most else None

    def _scanned(self, prefix: bytes) -> Iterator[tuple[bytes, LooseReference]]:
        folders = [prefix[: prefix.rfind(b"/")]]
        while folders:
            folder = folders.pop()
            for name, is_folder in self._listed(folder):
                if not name.startswith(prefix):
                    continue
                if is_folder:
                    folders.append(name)
                elif (reference := self._load(self._root + name)[0]) is not None:
                    yield name, reference

    def _listed(self, folder: bytes) -> list[tuple[bytes, bool]]:
        """Full names in a folder and whether each is a folder itself; what git leaves out is left out."""
        try:
            with os.scandir(self._root + folder) as entries:
                return [
                    (folder + b"/" + entry.name, _is_folder(entry))
                    for entry in entries
                    if not entry.name.startswith(b".") and not entry.name.endswith(b".lock")
                ]
        except OSError as error:
            _check_absent(error)
            return []

    def _load(self, path: bytes) -> tuple[LooseReference | None, Stamp | None]:
        """What a file holds, and in which version of it; no version of what a link leads to."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return self._linked(path), None
            _check_absent(error)
            return None, None
        try:
            version = stamp_of(os.fstat(handle))
            return self._parsed(os.read(handle, _LARGEST)), version
        except OSError as error:
            _check_absent(error)
            return None, None
        finally:
            os.close(handle)

    def _linked(self, path: bytes) -> LooseReference | None:
        target = os.readlink(path)
        if target.startswith(b"refs/"):
            return _symbolic(target)
        try:
            with open(path, "rb") as file:
                return self._parsed(file.read(_LARGEST))
        except OSError as error:
            if error.errno == errno.ELOOP:
                return LooseReference(None, None)
            _check_absent(error)
            return None

    def _parsed(self, data: bytes) -> LooseReference:
        if data.startswith(b"ref:"):
            return _symbolic(data[4:].strip())
        value = self._value.match(data)
        return LooseReference(value[1].decode("ascii").lower() if value else None, None)


def _symbolic(target: bytes) -> LooseReference:
    return LooseReference(None, target if is_safe_name(target) else None)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a folder or a link to one. Links that lead round in a circle are files."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False


def _check_absent(error: OSError) -> None:
    """Raises `error` unless it says that there is no such file."""
    if error.errno not in _NO_FILE:
        raise error
