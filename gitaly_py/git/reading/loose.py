"""Loose references: one small file each, named like the reference.

A file holds `<hex>` or `ref: <name>`; a symbolic link into `refs/` is an old form of the latter. What is
neither is a broken reference, which still hides a packed one of its name.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

_LARGEST = 4096
"""Bytes of a reference's file that are looked at; names are shorter, since they are paths."""

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

    def is_there(self, name: bytes) -> bool:
        """Whether there is a file, folder or link of that name; much cheaper than a `read` in vain."""
        return os.access(self._root + name, os.F_OK, follow_symlinks=False)

    def read(self, name: bytes) -> LooseReference | None:
        """The reference of that name, None when there is no file. `name` must be a safe reference name.

        Raises OSError when the file can't be read.
        """
        path = self._root + name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return self._linked(path)
            _check_absent(error)
            return None
        try:
            return self._parsed(os.read(handle, _LARGEST))
        except OSError as error:
            _check_absent(error)
            return None
        finally:
            os.close(handle)

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
                elif (reference := self.read(name)) is not None:
                    yield name, reference

    def _listed(self, folder: bytes) -> list[tuple[bytes, bool]]:
        """Full names in a folder and whether each is a folder itself; what git leaves out is left out."""
        try:
            with os.scandir(self._root + folder) as entries:
                return [
                    (folder + b"/" + entry.name, entry.is_dir())
                    for entry in entries
                    if not entry.name.startswith(b".") and not entry.name.endswith(b".lock")
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _linked(self, path: bytes) -> LooseReference | None:
        target = os.readlink(path)
        if target.startswith(b"refs/"):
            return LooseReference(None, target)
        try:
            with open(path, "rb") as file:
                return self._parsed(file.read(_LARGEST))
        except OSError as error:
            _check_absent(error)
            return None

    def _parsed(self, data: bytes) -> LooseReference:
        if data.startswith(b"ref:"):
            return LooseReference(None, data[4:].strip())
        value = self._value.match(data)
        return LooseReference(value[1].decode("ascii").lower() if value else None, None)


def _check_absent(error: OSError) -> None:
    """Raises `error` unless it says that there is no such file."""
    if error.errno not in _NO_FILE:
        raise error
