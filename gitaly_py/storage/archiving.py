"""Files and folders on disk as entries of a tar file (storage-maintenance.md 6, 7).

Every name comes in the order of its folder's sorted names, so equal trees give equal archives. Whoever
unpacks one may write everything in it, whatever the modes were here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from gitaly_py.storage.errors import FileUnreadable
from gitaly_py.storage.paths import reason_of
from gitaly_py.storage.tar import Kind, header, padding

_READ_SIZE = 256 * 1024

Blocks = Generator[bytes, None, None]
"""Parts of a tar file, in order; made by reading from disk, hence to be run in a thread."""


def file(path: bytes, name: bytes) -> Blocks:
    """The entry of one regular file; nothing if there is none.

    It is as long as the file was when it was opened. Raises FileUnreadable, also for a symbolic link.
    """
    try:
        yield from _file(path, name)
    except FileUnreadable as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise


def content(data: bytes, name: bytes, like: os.stat_result) -> bytes:
    """The entry of a file with this content, its mode and time taken from another one."""
    return _header(name, Kind.FILE, like, len(data)) + data + padding(len(data))


def tree(
    path: bytes, name: bytes, wanted: Callable[[bytes], object] | None = None, *, links: bool = False
) -> Blocks:
    """The entries of a folder and of everything below it; nothing if there is none.

    wanted: tells by their paths which files go in, and leaves folders out; all and folders by default.
    links: symbolic links go in as such. What else is no regular file is left out.
    Raises FileUnreadable, also for what vanishes meanwhile.
    """
    for each, found in _walk(path):
        entry_name = name + each[len(path) :]
        if stat.S_ISREG(found.st_mode):
            if wanted is None or wanted(each):
                yield from _file(each, entry_name)
        elif stat.S_ISDIR(found.st_mode):
            if wanted is None:
                yield _header(entry_name + b"/", Kind.FOLDER, found)
        elif links and stat.S_ISLNK(found.st_mode):
            with _reading("readlink", each):
                target = os.readlink(each)
            yield _header(entry_name, Kind.LINK, found, target=target)


def read(path: bytes) -> tuple[bytes, os.stat_result] | None:
    """A small regular file and its state; None if there is none. Raises FileUnreadable as `file` does."""
    try:
        opened = _opened(path)
    except FileUnreadable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    with os.fdopen(opened, "rb") as source, _reading("read", path):
        return source.read(), os.fstat(opened)


def _walk(path: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """`path` and everything below it, each before what it contains."""
    try:
        waiting = [(path, os.lstat(path))]
    except FileNotFoundError:
        return
    while waiting:
        each, found = waiting.pop()
        yield each, found
        if stat.S_ISDIR(found.st_mode):
            with _reading("open", each), os.scandir(each) as scan:
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
            for entry in entries:
                with _reading("lstat", entry.path):
                    waiting.append((entry.path, entry.stat(follow_symlinks=False)))


def _file(path: bytes, name: bytes) -> Blocks:
    with os.fdopen(_opened(path), "rb", buffering=0) as source:
        found = os.fstat(source.fileno())
        missing = found.st_size
        start = _header(name, Kind.FILE, found, missing)
        while missing:
            with _reading("read", path):
                data = source.read(min(missing, _READ_SIZE))
            if not data:
                raise FileUnreadable("read", os.fsdecode(path), "unexpected EOF")
            missing -= len(data)
            yield start + data if start else data
            start = b""
        yield start + padding(found.st_size)


def _opened(path: bytes) -> int:
    # Never waits for the other end of a pipe that someone has put there.
    with _reading("open", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileUnreadable("read", os.fsdecode(path), "not a regular file")
    return descriptor


def _header(name: bytes, kind: Kind, found: os.stat_result, size: int = 0, target: bytes = b"") -> bytes:
    mode = stat.S_IMODE(found.st_mode) | 0o666
    if mode & stat.S_IXUSR:
        mode |= 0o111
    return header(name, kind, mode=mode, size=size, mtime=int(found.st_mtime), target=target)


@contextmanager
def _reading(operation: str, path: bytes) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileUnreadable(operation, os.fsdecode(path), reason_of(error)) from error
