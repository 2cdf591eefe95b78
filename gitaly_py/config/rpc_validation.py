"""Full validation of `[rpc]`."""

from __future__ import annotations

from collections.abc import Iterator

from gitaly_py.config.duration import Duration
from gitaly_py.config.problems import Problem, at, at_least, greater, in_range, one_of
from gitaly_py.config.rpc import ENGINES, Rpc

_NO_TIME = Duration(0)
_LARGEST = 2**31 - 1
"""Of a flow-control window (RFC 9113 6.9.1), and of what grpcio takes as a number."""
_SMALLEST_WINDOW = 65_535
_SMALLEST_FRAME, _LARGEST_FRAME = 2**14, 2**24 - 1
"""RFC 9113 4.2."""


def rpc(section: Rpc) -> Iterator[Problem]:
    """Faults of `[rpc]`; each of them keeps the daemon from starting."""
    yield from at("engine", one_of(section.engine, ENGINES))
    for key in ("max_message_size", "max_header_list_size"):
        yield from at(key, in_range(getattr(section, key), 1, _LARGEST))
    yield from at("max_frame_size", in_range(section.max_frame_size, _SMALLEST_FRAME, _LARGEST_FRAME))
    for key in ("stream_window", "connection_window"):
        yield from at(key, in_range(getattr(section, key), _SMALLEST_WINDOW, _LARGEST))
    needed = max(section.connection_window, section.max_message_size)
    yield from at("max_connection_memory", at_least(section.max_connection_memory, needed))
    for key in (
        "max_continuation_frames",
        "max_resets_per_second",
        "max_settings_per_second",
        "max_empty_frames_per_second",
    ):
        yield from at(key, greater(getattr(section, key), 0))
    for key in ("max_concurrent_streams", "max_ping_strikes"):
        yield from at(key, at_least(getattr(section, key), 0))
    yield from _times(section)


def _times(section: Rpc) -> Iterator[Problem]:
    for key in ("preface_timeout", "keepalive_time", "keepalive_timeout"):
        yield from at(key, greater(getattr(section, key), _NO_TIME))
    for key in ("keepalive_min_interval", "stall_timeout"):
        yield from at(key, at_least(getattr(section, key), _NO_TIME))
