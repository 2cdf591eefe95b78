"""`[rpc]`: what speaks gRPC, and what a connection may cost. Gitaly does not have this section."""

from __future__ import annotations

from gitaly_py.config.duration import Duration
from gitaly_py.config.section import Section, setting

ENGINES = ("native", "grpcio")
DEFAULT_ENGINE = "native"


class Rpc(Section):
    """`[rpc]`. Every rate and size is of one connection.

    grpcio heeds `max_message_size`, `preface_timeout`, `keepalive_min_interval` and `max_ping_strikes`;
    for the rest it has numbers of its own.
    """

    engine: str = setting(DEFAULT_ENGINE, "What speaks gRPC: `native` or `grpcio`.")
    max_message_size: int = setting(4 * 1024**2, "Longest message received, in bytes without compression.")
    preface_timeout: Duration = setting(
        Duration.parse("2m"), "Time for a new connection to say what it speaks, TLS included."
    )
    max_concurrent_streams: int = setting(0, "Calls at a time; 0 is no limit.")
    max_header_list_size: int = setting(16 * 1024**2, "Metadata of a call, in bytes.")
    max_continuation_frames: int = setting(1024, "CONTINUATION frames of a call's metadata.")
    max_frame_size: int = setting(65_536, "Longest frame received, in bytes, 16384 to 16777215.")
    stream_window: int = setting(1024**2, "Bytes a client may send ahead in a call, at least 65535.")
    connection_window: int = setting(16 * 1024**2, "Bytes a client may send ahead in all, at least 65535.")
    max_connection_memory: int = setting(
        256 * 1024**2,
        "Bytes held, received and not yet handled or waiting to be sent; at least `connection_window` and "
        "`max_message_size`.",
    )
    max_resets_per_second: int = setting(
        200, "Calls that a client may reset, right after their beginning, in a second."
    )
    max_settings_per_second: int = setting(100, "SETTINGS frames in a second.")
    max_empty_frames_per_second: int = setting(1000, "Frames that bring nothing in a second.")
    keepalive_min_interval: Duration = setting(Duration.parse("10s"), "Least time between a client's pings.")
    max_ping_strikes: int = setting(2, "Pings that may come earlier than that; 0 is no limit.")
    keepalive_time: Duration = setting(
        Duration.parse("5m"), "Time without a byte from the client, after which a ping asks for an answer."
    )
    keepalive_timeout: Duration = setting(
        Duration.parse("20s"), "Time for that answer; without one the connection ends."
    )
    stall_timeout: Duration = setting(
        Duration.parse("10m"),
        "Longest time for which a client may take nothing of what waits for it; 0 is no limit.",
    )
