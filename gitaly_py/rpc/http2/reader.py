"""Cuts what a client sends into its preface and its frames (RFC 9113 3.4, 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode

OnFrame = Callable[[int, int, bytes, int, int], None]
"""Takes flags, stream, and the bytes that hold the payload with its start and stop."""

KNOWN_TYPES: Final = 10

_unpack = frames.header.unpack_from


class FrameReader:
    """Any split of the octets gives the same calls.

    on_frame: by type. on_unknown: called for a frame of another type. check: called first with type and
    stream while `checks` is set, which is while a header block goes on.
    """

    def __init__(
        self,
        on_frame: Sequence[OnFrame],
        *,
        max_frame: int,
        on_unknown: Callable[[], None],
        check: Callable[[int, int], None],
    ) -> None:
        self._on_frame = on_frame
        self._max_frame = max_frame
        self._on_unknown = on_unknown
        self._check = check
        self._parts: list[bytes] = []
        self._missing = len(frames.PREFACE)
        self._read = self._read_preface
        self.checks = False

    def feed(self, data: bytes) -> None:
        """The next octets. Raises ConnectionFault, after which there is nothing to do but `stop`."""
        self._read(data)

    def stop(self) -> None:
        """Whatever still comes is ignored."""
        self._read = self._ignore
        self._parts = []

    def _read_preface(self, data: bytes) -> None:
        received = b"".join((*self._parts, data))
        size = len(frames.PREFACE)
        if not frames.PREFACE.startswith(received[:size]):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_preface")
        self._parts = [received]
        if len(received) >= size:
            self._parts = []
            self._read = self._read_first
            self._read(received[size:])

    def _read_first(self, data: bytes) -> None:
        """The first frame is SETTINGS (RFC 9113 3.4)."""
        received = b"".join((*self._parts, data))
        self._parts = [received]
        if len(received) < frames.HEADER_BYTES:
            return
        _, _, kind, flags, _ = _unpack(received)
        if kind != frames.SETTINGS or flags & frames.ACK:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_preface")
        self._parts = []
        self._read = self._read_frames
        self._read(received)

    def _read_frames(self, data: bytes) -> None:
        start = 0
        while self._parts:
            # Only the frame that was cut is put together: what comes behind it is read where it is.
            end = start + self._missing
            self._parts.append(data[start:end])
            if end > len(data):
                self._missing = end - len(data)
                return
            cut, self._parts = b"".join(self._parts), []
            self._cut_frames(cut, 0)
            start = end
        self._cut_frames(data, start)

    def _cut_frames(self, data: bytes, start: int) -> None:
        size = len(data)
        stop = start + frames.HEADER_BYTES
        while stop <= size:
            high, low, kind, flags, number = _unpack(data, start)
            length = high << 16 | low
            if length > self._max_frame:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame_too_large")
            stop += length
            if stop > size:
                break
            number &= frames.MAX_WINDOW  # the highest bit is reserved
            if self.checks:
                self._check(kind, number)
            if kind < KNOWN_TYPES:
                self._on_frame[kind](flags, number, data, stop - length, stop)
            else:
                self._on_unknown()
            start = stop
            stop += frames.HEADER_BYTES
        if start < size:
            self._parts = [data[start:] if start else data]
            self._missing = stop - size

    def _ignore(self, data: bytes) -> None:
        """The connection has failed: nothing can reach the rest any more."""
