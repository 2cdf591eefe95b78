"""What the frames of a client do to a connection (RFC 9113 5 and 6)."""

from __future__ import annotations

from typing import Final

from gitaly_py.rpc.http2 import frames
from gitaly_py.rpc.http2.blocks import BlockReader
from gitaly_py.rpc.http2.errors import ConnectionFault, ErrorCode, StreamFault
from gitaly_py.rpc.http2.events import (
    DataReceived,
    Event,
    PingAnswered,
    RequestEnded,
    RequestReceived,
    RequestTooLarge,
    StreamEnded,
)
from gitaly_py.rpc.http2.fields import content_length, is_trailers, request_fields
from gitaly_py.rpc.http2.hpack import Field
from gitaly_py.rpc.http2.limits import Clock, Limits, PingRule, Rate
from gitaly_py.rpc.http2.reader import FrameReader, OnFrame
from gitaly_py.rpc.http2.sending import Sender
from gitaly_py.rpc.http2.settings import changes
from gitaly_py.rpc.http2.streams import RECEIVING, Change, Stream, Streams

MIN_VIEW: Final = 8192  # octets of a DATA frame
RAPID_SECONDS: Final = 1.0  # age of a stream whose reset counts as a rapid one
MAX_KEPT: Final = 8  # octets of memory for an octet of data


class Receiver:
    """Reads frames into `events`, which whoever calls `feed` empties.

    pings: what counts the client's pings. settled: the client has acknowledged our settings.
    """

    def __init__(self, streams: Streams, sender: Sender, limits: Limits, clock: Clock) -> None:
        self._streams = streams
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._reader = FrameReader(
            self._handlers(), max_frame=limits.max_frame, on_unknown=self._on_unknown, check=self._check
        )
        self._blocks = BlockReader(limits)
        self._credit = limits.connection_window
        self._unreturned = 0
        self._resets = Rate(limits.resets, "too_many_resets", clock)
        self._settings = Rate(limits.settings, "too_many_settings", clock)
        self._empty = Rate(limits.empty_frames, "too_many_empty_frames", clock)
        self.pings = PingRule(limits, clock)
        self.settled = False
        self.events: list[Event] = []

    def feed(self, data: bytes) -> None:
        """The next octets. Raises ConnectionFault."""
        self._reader.feed(data)

    def stop(self) -> None:
        """Whatever still comes is ignored."""
        self._reader.stop()

    def consumed(self, number: int, size: int) -> None:
        """`size` octets of a stream's data are done with: the client may send as many again."""
        self._unreturned += size
        if self._unreturned * 2 >= self._limits.connection_window:
            self._sender.control(frames.window_update(0, self._unreturned))
            self._credit += self._unreturned
            self._unreturned = 0
        stream = self._streams.receiving(number)
        if stream is None:
            return
        stream.unreturned += size
        if stream.unreturned * 2 >= self._limits.stream_window:
            self._sender.control(frames.window_update(number, stream.unreturned))
            stream.credit += stream.unreturned
            stream.unreturned = 0

    def _handlers(self) -> tuple[OnFrame, ...]:
        """By frame type. A fault of one stream ends that stream."""
        return (
            self._on_data,
            self._on_headers,
            self._on_priority,
            self._on_rst_stream,
            self._on_settings,
            self._on_push_promise,
            self._on_ping,
            self._on_goaway,
            self._on_window_update,
            self._on_continuation,
        )

    def _refuse(self, number: int, code: ErrorCode) -> None:
        """Ends a stream for a fault of the client, who could make us do this as often as it likes."""
        if self._streams.ignores(number):
            return
        self._resets.count()
        self._sender.answer(frames.rst_stream(number, code))
        self._streams.reset(number)
        stream = self._streams.open.get(number)
        if stream is not None:
            self._sender.drop(stream)
            self._streams.change(stream, Change.RESET)
            self.events.append(StreamEnded(number, code, True))

    def _on_data(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        length = stop - start
        if length > self._credit:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection_window_overrun")
        self._credit -= length
        stream = self._streams.open.get(number)
        if stream is None or stream.state not in RECEIVING:
            self.consumed(0, length)
            self._on_stray_data(number, nothing=not length and not flags & frames.END_STREAM)
            return
        if length > stream.credit:
            self.consumed(0, length)
            self._refuse(number, ErrorCode.FLOW_CONTROL_ERROR)
            return
        stream.credit -= length
        if flags & frames.PADDED:
            start, stop = _without_padding(data, start, stop)
            self.consumed(number, length - (stop - start))
        ended = flags & frames.END_STREAM != 0
        if start == stop and not ended:
            self._empty.count()
            return
        if stream.expected is not None and not _fits(stream, stop - start, ended):
            self.consumed(0, stop - start)
            self._refuse(number, ErrorCode.PROTOCOL_ERROR)
            return
        if ended:
            self._streams.change(stream, Change.RECEIVED_END)
        # A view is cheaper than a copy, but keeps all that it came with.
        large = stop - start >= MIN_VIEW and (stop - start) * MAX_KEPT >= len(data)
        part = memoryview(data)[start:stop] if large else data[start:stop]
        self.events.append(DataReceived(number, part, ended))

    def _on_stray_data(self, number: int, *, nothing: bool) -> None:
        if self._streams.is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "data_before_headers")
        if nothing:
            self._empty.count()
        self._refuse(number, ErrorCode.STREAM_CLOSED)

    def _on_headers(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_stream_number")
        if flags & frames.PADDED:
            start, stop = _without_padding(data, start, stop)
        if flags & frames.PRIORITY_FLAG:
            start += 5
            if start > stop:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        ended = flags & frames.END_STREAM != 0
        if flags & frames.END_HEADERS:
            self._on_block(number, self._blocks.decode(data, start, stop), ended)
        else:
            self._blocks.begin(number, data[start:stop], ended)
            self._reader.checks = True

    def _check(self, kind: int, number: int) -> None:
        self._blocks.check(kind, number)

    def _on_continuation(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if not self._reader.checks:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "unexpected_continuation")
        self._blocks.append(data[start:stop])
        if flags & frames.END_HEADERS:
            self._reader.checks = False
            self._on_block(number, self._blocks.complete(), self._blocks.ended)
        elif start == stop:
            self._empty.count()

    def _on_block(self, number: int, fields: list[Field] | None, ended: bool) -> None:
        """A header block is there; fields: None when they are too large to keep."""
        streams = self._streams
        stream = streams.open.get(number)
        if stream is not None:
            self._on_trailers(stream, fields, ended)
        elif number > streams.last:
            streams.last = number
            if number <= streams.served_until:
                try:
                    self._on_request(number, fields, ended)
                except StreamFault as fault:
                    self._refuse(number, fault.code)
        elif not streams.ignores(number):
            # Of lower numbers we don't know whether they were used, or skipped (RFC 9113 5.1, 5.1.1).
            code = ErrorCode.STREAM_CLOSED if number == streams.last else ErrorCode.PROTOCOL_ERROR
            raise ConnectionFault(code, "headers_after_end")

    def _on_request(self, number: int, fields: list[Field] | None, ended: bool) -> None:
        streams = self._streams
        if 0 < self._limits.max_streams <= len(streams.open):
            raise StreamFault(number, ErrorCode.REFUSED_STREAM, "too_many_streams")
        stream = Stream(number, self._limits.stream_window, self._sender.initial_window, self._clock())
        if fields is None:
            self.events.append(RequestTooLarge(number, ended))
        else:
            found = request_fields(number, fields)
            if "content-length" in found:
                stream.expected = content_length(number, found)
                if ended and stream.expected:
                    raise StreamFault(number, ErrorCode.PROTOCOL_ERROR, "bad_content_length")
            self.events.append(RequestReceived(number, found, ended))
        streams.open[number] = stream
        if ended:
            streams.change(stream, Change.RECEIVED_END)

    def _on_trailers(self, stream: Stream, fields: list[Field] | None, ended: bool) -> None:
        number = stream.number
        if stream.state not in RECEIVING:
            self._refuse(number, ErrorCode.STREAM_CLOSED)
        elif not ended or stream.expected or (fields is not None and not is_trailers(fields)):
            self._refuse(number, ErrorCode.PROTOCOL_ERROR)
        else:
            self._streams.change(stream, Change.RECEIVED_END)
            self.events.append(RequestEnded(number))

    def _on_priority(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        """Priorities are not followed (RFC 9113 5.3.2)."""
        if not number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_stream_number")
        self._empty.count()
        if stop - start != 5:
            if self._streams.is_idle(number):  # which can't be reset (RFC 9113 6.4)
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
            self._refuse(number, ErrorCode.FRAME_SIZE_ERROR)

    def _on_rst_stream(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        if self._streams.is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "reset_before_headers")
        stream = self._streams.open.get(number)
        if stream is None:
            if not self._streams.ignores(number):  # else it may be the client's word on our early response
                self._empty.count()
            return
        # Many calls of some age may end at once, when a client stops; what costs us is to begin in vain.
        if self._clock() - stream.opened < RAPID_SECONDS:
            self._resets.count()
        self._sender.drop(stream)
        self._streams.change(stream, Change.RESET)
        self.events.append(StreamEnded(number, int.from_bytes(data[start:stop]), False))

    def _on_settings(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_stream_number")
        length = stop - start
        if length % frames.setting.size or (flags & frames.ACK and length):
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        self._settings.count()
        if flags & frames.ACK:
            self.settled = True
            return
        # Only the last value of each counts, and a new window is a walk over all streams.
        for key, value in dict(changes(data[start:stop])).items():
            if key == frames.INITIAL_WINDOW_SIZE:
                self._sender.resize(value, self._streams.open.values())
            elif key == frames.MAX_FRAME_SIZE_SETTING:
                self._sender.limit_frames(value)
        self._sender.answer(frames.SETTINGS_ACK)

    def _on_push_promise(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "push_by_client")

    def _on_ping(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_stream_number")
        if stop - start != 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        if flags & frames.ACK:
            self._empty.count()
            self.events.append(PingAnswered(data[start:stop]))
            return
        self.pings.count()
        self._sender.answer(frames.ping(data[start:stop], ack=True))

    def _on_goaway(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        """The client takes no streams of ours, of which there are none anyway."""
        if number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_stream_number")
        if stop - start < 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        self._empty.count()

    def _on_window_update(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
        credit = int.from_bytes(data[start:stop]) & frames.MAX_WINDOW
        if not number:
            if not credit:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "empty_window_update")
            self._sender.grant(credit)
            return
        if self._streams.is_idle(number):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "window_before_headers")
        stream = self._streams.open.get(number)
        if stream is None:  # some clients return the window of a response when they read it
            return
        if not credit:
            self._refuse(number, ErrorCode.PROTOCOL_ERROR)
        elif not self._sender.grant_stream(stream, credit):
            self._refuse(number, ErrorCode.FLOW_CONTROL_ERROR)

    def _on_unknown(self) -> None:
        self._empty.count()


def _without_padding(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """Where the content of a padded payload is (RFC 9113 6.1). Raises ConnectionFault."""
    if start == stop:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "bad_frame_size")
    start, stop = start + 1, stop - data[start]
    if start > stop:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "bad_padding")
    return start, stop


def _fits(stream: Stream, size: int, ended: bool) -> bool:
    """Takes `size` from the octets announced for a stream; whether that can be right (RFC 9113 8.1.1)."""
    assert stream.expected is not None
    stream.expected -= size
    return stream.expected == 0 if ended else stream.expected >= 0
