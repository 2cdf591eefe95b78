"""Statistics of upload-pack requests: in responses, metrics and logs (transport.md 2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from gitaly_py.git.wire.errors import WireError
from gitaly_py.git.wire.negotiation import Negotiation, NegotiationParser
from gitaly_py.pb.packfile_pb2 import PackfileNegotiationStatistics
from gitaly_py.telemetry import fields, metrics


class Watched:
    """Counts what passes by. A request that can't be parsed is git's to refuse: it just counts no further."""

    def __init__(self) -> None:
        self._parser = NegotiationParser()
        self.malformed = False

    @property
    def counted(self) -> Negotiation:
        return self._parser.counted

    @property
    def side_band(self) -> bool:
        """Whether the client of an older protocol takes its pack in large side-band packets."""
        return b"side-band-64k" in self.counted.capabilities

    def receive(self, data: bytes) -> None:
        """Takes the next bytes of the request."""
        if self.malformed:
            return
        try:
            self._parser.receive(data)
        except WireError:
            self.malformed = True

    def end(self) -> None:
        """The request is complete."""
        if self.malformed:
            return
        try:
            self._parser.end()
        except WireError:
            self.malformed = True


def message(counted: Negotiation) -> PackfileNegotiationStatistics:
    """The counts as responses carry them."""
    return PackfileNegotiationStatistics(
        payload_size=counted.payload_size,
        packets=counted.packets,
        caps=[_text(capability) for capability in counted.capabilities],
        wants=counted.wants,
        haves=counted.haves,
        shallows=counted.shallows,
        deepen=_text(counted.deepen),
        filter=_text(counted.filter),
    )


def report(transport: str, counted: Negotiation) -> None:
    """Puts the counts into metrics and log fields. transport: `smarthttp` or `ssh`."""
    requests, deepen = metrics.packfile_negotiation[transport]
    for feature in _features(counted):
        requests.labels(feature).inc()
    _, _, depth = counted.deepen.partition(b" ")
    if counted.deepen.startswith(b"deepen ") and depth.isdigit():
        deepen.observe(int(depth))
    for field, name in _LOGGED:
        value = getattr(counted, name)
        if value:
            fields.put(field, _text(value) if isinstance(value, bytes) else value)


_LOGGED = [
    (f"negotiation.{name}", name)
    for name in ("command", "user_agent", "deepen", "filter", "haves", "wants", "shallows")
]


def _features(counted: Negotiation) -> Iterator[str]:
    if counted.deepen:
        yield "deepen"
    if counted.filter:
        yield "filter"
    if counted.haves:
        yield "have"
    if counted.command:
        yield _text(counted.command)
    yield "total"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
