"""nghttp, and what it prints about the frames of a connection."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.support.peers import run

_FRAME = re.compile(
    r"\[ *[\d.]+\] (send|recv) (\w+) frame <length=(\d+), flags=0x([0-9a-f]{2}), stream_id=(\d+)>"
)
_FIELD = re.compile(r"\[ *[\d.]+\] recv \(stream_id=(\d+)\) (:?[^:]+): (.*)")
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")


class Frame(NamedTuple):
    """One frame; `sent` is nghttp's direction."""

    sent: bool
    kind: str
    length: int
    flags: int
    stream: int


class Conversation(NamedTuple):
    """A connection. responses: the header and trailer fields of each stream; text: all that was printed."""

    frames: list[Frame]
    responses: dict[int, dict[str, str]]
    text: str

    def received(self, kind: str) -> list[Frame]:
        """What the daemon sent."""
        return [frame for frame in self.frames if frame.kind == kind and not frame.sent]

    def sent(self, kind: str) -> list[Frame]:
        """What nghttp sent."""
        return [frame for frame in self.frames if frame.kind == kind and frame.sent]

    @property
    def statuses(self) -> list[tuple[str | None, str | None]]:
        """HTTP's and gRPC's status of each response, in the order of the requests."""
        found = [fields for _, fields in sorted(self.responses.items())]
        return [(fields.get(":status"), fields.get("grpc-status")) for fields in found]


async def nghttp(*line: str | Path) -> Conversation:
    """Talks to a daemon, and throws the bodies of its responses away."""
    finished = await run("nghttp", "--no-verify-peer", "-n", "-v", *line)
    text = finished.stdout.decode("utf-8", "replace") + finished.stderr
    frames = [
        Frame(direction == "send", kind, int(length), int(flags, 16), int(stream))
        for direction, kind, length, flags, stream in _FRAME.findall(text)
    ]
    responses: dict[int, dict[str, str]] = {}
    for stream, name, value in _FIELD.findall(text):
        responses.setdefault(int(stream), {})[name] = value
    return Conversation(frames, responses, text)
