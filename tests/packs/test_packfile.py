"""The bytes of a pack across the border between file and memory."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.packs.packfile import PackFile


class Socket:
    """A wire that takes everything."""

    def __init__(self, *, splices: bool) -> None:
        self._ours, self._theirs = socket.socketpair()
        self.splice_fd = self._ours.fileno() if splices else None

    def send(self, data: bytes | bytearray | memoryview, *, more: bool = False) -> int:  # noqa: ARG002
        return self._ours.send(data)

    def received(self) -> bytes:
        return self._theirs.recv(1 << 20)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


@contextmanager
def file_of_at_most(size: int, path: Path) -> Iterator[PackFile]:
    """A file that the system lets grow to `size` bytes."""
    path.unlink(missing_ok=True)
    file = PackFile(str(path), os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o400), os.close)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield file
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        file.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.binary(max_size=9), max_size=4), max_size=5),
    size=st.integers(0, 60),
    release=st.integers(0, 60),
    splices=st.booleans(),
    data=st.data(),
)
def test_every_range_that_is_not_released_can_be_read_and_sent(
    tmp_path: Path,
    batches: list[list[bytes]],
    size: int,
    release: int,
    splices: bool,
    data: st.DataObject,
) -> None:
    whole = b"".join(b"".join(batch) for batch in batches)
    with file_of_at_most(size, tmp_path / "pack") as file:
        for batch in batches:
            file.append(batch)
        assert (file.fault is not None) == (len(whole) > size)
        release = min(release, len(whole))
        file.release(release)
        assert file.held == max(len(whole) - max(size, release), 0)

        start = data.draw(st.integers(0 if release <= size else release, len(whole)))
        length = data.draw(st.integers(0, len(whole) - start))
        wanted = whole[start : start + length]
        assert file.read(start, length) == wanted

        wire = Socket(splices=splices)
        offset = start
        while offset < start + length:
            offset += file.send(wire, offset, start + length - offset)
        assert not wanted or wire.received() == wanted
        wire.close()


def test_a_file_that_was_cut_off_is_an_error_and_no_end(tmp_path: Path) -> None:
    with file_of_at_most(100, tmp_path / "pack") as file:
        file.append([b"x" * 100])
        os.truncate(tmp_path / "pack", 50)
        for wire in (Socket(splices=True), Socket(splices=False)):
            with pytest.raises(OSError, match="cut off"):
                file.send(wire, 50, 50)
            wire.close()
        with pytest.raises(OSError, match="cut off"):
            file.read(0, 100)
        with pytest.raises(OSError, match="Stale"):
            file.open()
