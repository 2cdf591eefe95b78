"""Whether references are as they were when they were read, told without reading them again.

Git changes a reference by renaming a file into its folder, and replaces packed-refs, HEAD and the list of
reftables the same way: each change gives a folder or a file another stamp. The loose files are looked at,
too, so that one written in place is noticed as well.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Collection, Iterator
from typing import Final

from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp_of

MAX_WATCHED: Final = 20_000
"""Files and folders of one state; more are not worth the memory, nor the time to look at them."""

_FEW: Final = 500
"""So many are looked at within about a millisecond; more are looked at in a thread."""

_BYTES_EACH: Final = 350

_LONGEST: Final = 4096
_NO_FILE: Final = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}

_PACKED: Final = b"packed-refs"
_TABLES: Final = b"reftable/tables.list"


class TooManyFiles(Exception):
    """There are more than `limit` of them."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} files and folders")
        self.limit = limit


class ReferenceState:
    """The files and folders that some references depend on, as they are now.

    Say what to watch before it is read: what changes while it is being read is then noticed, too.
    packed-refs is always watched; or, in place of everything else, the list of reftables. What walks or looks
    at many files may block for a while. backend: `files` or `reftable`.
    """

    __slots__ = ("_proves", "_root", "_stamps")

    def __init__(self, repository_path: str, backend: str = "files") -> None:
        self._root = os.fsencode(repository_path) + b"/"
        self._stamps: dict[bytes, Stamp | None] = {}
        self._proves = True
        self.watch(_TABLES if backend == "reftable" else _PACKED)

    def __eq__(self, other: object) -> bool:
        """Whether both watch the same files and folders, and found them in the same state."""
        return isinstance(other, ReferenceState) and self._stamps == other._stamps

    __hash__ = None  # type: ignore[assignment]

    @property
    def proves(self) -> bool:
        """Whether any change from now on must show.

        Not while something has changed within the last step of the file system's clock, and never where
        symbolic links lead elsewhere.
        """
        return self._proves

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        return _BYTES_EACH * len(self._stamps)

    def distrust(self) -> None:
        """What was read depends on more than can be watched."""
        self._proves = False

    def watch(self, name: bytes) -> None:
        """Watches the file of that name in the repository, whether it is there or not."""
        path = self._root + name
        read_at = now()
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._stamps[path] = None
            return
        except OSError:
            self._proves = False
            return
        self._stamps[path] = version = stamp_of(found)
        if stat.S_ISLNK(found.st_mode) or not version.settled(read_at):
            self._proves = False

    def walk(self, prefix: bytes, *, without: Collection[bytes] = (), at_most: int) -> list[bytes]:
        """Watches the loose references with that prefix, which begins with `refs/`, and gives their names.

        The folder that the prefix names must be a safe name. without: names that are left out with all that
        is below them. Files that git does not take for references are left out, links are among the names.
        Raises TooManyFiles beyond `at_most` entries of folders, OSError.
        """
        names: list[bytes] = []
        folders = [prefix[: prefix.rfind(b"/")]]
        left = at_most
        while folders:
            folder = folders.pop()
            self.watch(folder)
            for name, is_folder in self._entries(folder):
                left -= 1
                if left < 0:
                    raise TooManyFiles(at_most)
                if not name.startswith(prefix) or name in without:
                    continue
                if is_folder:
                    folders.append(name)
                else:
                    self.watch(name)
                    names.append(name)
        return names

    def read(self, name: bytes) -> bytes | None:
        """What the file of that name holds, as far as a reference's may go on; None if there is none.

        A link is not followed, and said to be empty. Raises OSError.
        """
        try:
            handle = os.open(self._root + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return _absent(error)
        try:
            return os.read(handle, _LONGEST)
        except OSError as error:
            return _absent(error)
        finally:
            os.close(handle)

    def unchanged(self) -> bool:
        """Whether all is as it was, for certain."""
        return self._proves and all(_is_as_it_was(path, found) for path, found in self._stamps.items())

    async def holds(self) -> bool:
        """The same, without holding the event loop where that takes long."""
        if self._proves and len(self._stamps) > _FEW:
            return await asyncio.to_thread(self.unchanged)
        return self.unchanged()

    def _entries(self, folder: bytes) -> Iterator[tuple[bytes, bool]]:
        """Full names in a folder, and whether each is a folder itself."""
        try:
            with os.scandir(self._root + folder) as entries:
                for entry in entries:
                    if not entry.name.startswith(b".") and not entry.name.endswith(b".lock"):
                        yield folder + b"/" + entry.name, entry.is_dir(follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise


def _absent(error: OSError) -> bytes | None:
    if error.errno == errno.ELOOP:
        return b""
    if error.errno in _NO_FILE:
        return None
    raise error


def _is_as_it_was(path: bytes, found: Stamp | None) -> bool:
    try:
        if found is None:
            return not os.access(path, os.F_OK, follow_symlinks=False)
        return is_unchanged(path, found, follow_symlinks=False)
    except OSError:
        return False
