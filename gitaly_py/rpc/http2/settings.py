"""Settings of both sides (RFC 9113 6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode
from gitaly_py.rpc.http2.limits import Limits

ANNOUNCED_TABLE_SIZE: Final = 65536  # the metadata of Rails' calls fits, and costs a byte an entry then


def announced(limits: Limits) -> bytes:
    """What a server says first: its settings, and the connection's window."""
    values = {
        frames.HEADER_TABLE_SIZE: ANNOUNCED_TABLE_SIZE,
        frames.INITIAL_WINDOW_SIZE: limits.stream_window,
        frames.MAX_FRAME_SIZE_SETTING: limits.max_frame,
        frames.MAX_HEADER_LIST_SIZE: limits.max_header_list,
    }
    if limits.max_streams:
        values[frames.MAX_CONCURRENT_STREAMS] = limits.max_streams
    first = frames.settings(values)
    growth = limits.connection_window - frames.DEFAULT_WINDOW
    return first + frames.window_update(0, growth) if growth > 0 else first


def changes(payload: bytes) -> Iterator[tuple[int, int]]:
    """The settings of a client, checked, in order; those we don't know included. Raises ConnectionFault."""
    for key, value in frames.setting.iter_unpack(payload):
        if key == frames.INITIAL_WINDOW_SIZE and value > frames.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "bad_setting")
        if key == frames.ENABLE_PUSH and value > 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_setting")
        if key == frames.MAX_FRAME_SIZE_SETTING and not (
            frames.MIN_FRAME_SIZE <= value <= frames.MAX_FRAME_SIZE
        ):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_setting")
        yield key, value
