"""What clients send, made at random: whole sessions as gRPC clients have them, and mutations of these."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from random import Random
from struct import pack

from hpack import Encoder

from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    SETTINGS,
    WITH_PRIORITY,
    Frame,
    goaway,
    padded,
    ping,
    priority,
    rst_stream,
    settings,
    window_update,
)

Octets = list[bytes]
"""The frames of a session, each as it travels; the first is the preface."""

NUMBERS = (0, 1, 2, 3, 5, 9, 16384, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)
FIELDS = (
    ("grpc-timeout", "10S"),
    ("grpc-timeout", "x"),
    ("grpc-encoding", "gzip"),
    ("grpc-encoding", "brotli"),
    ("content-length", "12"),
    ("grpc-accept-encoding", "identity,gzip"),
    ("user-agent", "grpc-ruby/1.60"),
    ("x-data-bin", "AAEC,/w"),
    ("x-wrong-bin", "*"),
    ("x-empty", ""),
    ("x-large", "a" * 300),
    ("connection", "close"),
    ("X-Upper", "x"),
    (":status", "200"),
    *((f"gitaly-feature-number-{number}", "true") for number in range(8)),
)
SOUND_FIELDS = FIELDS[:8] + FIELDS[-8:]


def session(rng: Random) -> Octets:
    """A client that keeps nearly all rules: a few calls at once, and frames of the connection in between."""
    encoder = Encoder()
    first = {4: rng.choice((0, 5, 65535, 1 << 20)), 5: rng.choice((16384, 20000, 1 << 24 - 1)), 2: 0}
    frames = [settings(first)]
    numbers = iter(range(1, 1000, rng.choice((2, 2, 2, 4))))
    calls = [_call(rng, encoder, numbers) for _ in range(rng.randint(1, 5))]
    while calls:
        call = rng.choice(calls)
        part = next(call, None)
        if part is None:
            calls.remove(call)
        else:
            frames += part
        if rng.random() < 0.2:
            frames.append(_aside(rng))
    return [PREFACE, *(frame.octets for frame in frames)]


def _call(rng: Random, encoder: Encoder, numbers: Iterator[int]) -> Iterator[list[Frame]]:
    """The frames of one call; those of a header block come together."""
    number = next(numbers)
    bodyless = rng.random() < 0.1
    yield _headers(rng, number, encoder.encode(_request(rng), huffman=rng.random() < 0.5), end=bodyless)
    if bodyless:
        return
    body = b"".join(_message(rng) for _ in range(rng.randint(0, 4)))
    for part in cuts(rng, body):
        yield [_data(rng, number, part)]
        if rng.random() < 0.1:
            yield [window_update(number, rng.choice((1, 1000, 1 << 20)))]
    yield _end(rng, number, encoder)


def _end(rng: Random, number: int, encoder: Encoder) -> list[Frame]:
    choice = rng.random()
    if choice < 0.1:
        return [rst_stream(number, rng.choice((0, 8, 999)))]
    if choice < 0.2:
        return _headers(rng, number, encoder.encode([("x-trailer", "1")]), end=True)
    return [Frame(DATA, END_STREAM, number, b"")] if choice < 0.95 else []


def _request(rng: Random) -> list[tuple[str, str]]:
    fields = [
        (":method", "POST" if rng.random() < 0.95 else "GET"),
        (":scheme", "http"),
        (":path", rng.choice(("/gitaly.RefService/FindBranch", "/a", "*"))),
        (":authority", "localhost"),
        ("content-type", rng.choice(("application/grpc", "application/grpc+proto", "text/html"))),
        ("te", "trailers"),
    ]
    choice = FIELDS if rng.random() < 0.2 else SOUND_FIELDS
    return fields + rng.sample(choice, rng.randint(0, 8))


def _headers(rng: Random, number: int, block: bytes, *, end: bool) -> list[Frame]:
    flags = END_STREAM if end else 0
    parts = list(cuts(rng, block)) if rng.random() < 0.15 else [block]
    first, *rest = parts or [b""]
    if rng.random() < 0.1:
        first, flags = pack(">IB", rng.choice(NUMBERS), 200) + first, flags | WITH_PRIORITY
    if rng.random() < 0.1:
        first, flags = padded(first, rng.randint(0, 255)), flags | PADDED
    frames = [Frame(HEADERS, flags, number, first), *(Frame(CONTINUATION, 0, number, part) for part in rest)]
    frames[-1] = frames[-1]._replace(flags=frames[-1].flags | END_HEADERS)
    return frames


def _data(rng: Random, number: int, part: bytes) -> Frame:
    if rng.random() < 0.1:
        return Frame(DATA, PADDED, number, padded(part, rng.randint(0, 255)))
    return Frame(DATA, 0, number, part)


def _message(rng: Random) -> bytes:
    body = rng.randbytes(rng.choice((0, 1, 5, 40, 300, 300)))
    if rng.random() < 0.03:
        body = bytes(rng.choice((20_000, 70_000)))
    if rng.random() < 0.2:
        body = gzip.compress(body)
        return pack(">BI", 1, len(body)) + body
    return pack(">BI", 0, len(body)) + body


def _aside(rng: Random) -> Frame:
    return rng.choice(
        (
            ping(),
            ping(ack=True),
            settings(),
            Frame(SETTINGS, ACK, 0, b""),
            settings([(4, rng.choice((0, 3, 65535, 1 << 20)))]),
            settings([(1, rng.choice((0, 4096, 65536)))]),
            window_update(0, rng.choice((1, 100, 1 << 20))),
            priority(rng.choice((1, 3, 99))),
            Frame(0x42, 0, 0, b"extension"),
            goaway(0),
        )
    )


def cuts(rng: Random, octets: bytes) -> Iterator[bytes]:
    """`octets` in pieces."""
    start = 0
    while start < len(octets):
        stop = start + rng.choice((1, 2, 5, 9, 30, 100, 1000, 16384))
        yield octets[start:stop]
        start = stop


def random_frame(rng: Random) -> bytes:
    """A frame whose payload has a chance to be what its type wants."""
    kind = rng.randrange(11)
    size = (5, 5, 5, 4, 6, 4, 8, 8, 4, 5, 3)[kind]
    payload = pack(">I", rng.choice(NUMBERS)) if size == 4 else rng.randbytes(size)
    if kind == SETTINGS:
        payload = pack(">HI", rng.randrange(8), rng.choice(NUMBERS))
    if rng.random() < 0.15:
        payload = rng.randbytes(rng.randrange(40))
    flags = rng.choice((0, 0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF))
    stream = (
        0
        if kind in (SETTINGS, PING) and rng.random() < 0.9
        else rng.choice((0, 1, 1, 3, 3, 5, 7, 2, 99, 2**31 - 1))
    )
    return Frame(kind, flags, stream, payload).octets


def _drop(rng: Random, frames: Octets, other: Octets) -> None:
    del frames[rng.randrange(len(frames))]


def _repeat(rng: Random, frames: Octets, other: Octets) -> None:
    place = rng.randrange(len(frames))
    frames[place:place] = [frames[place]] * rng.choice((1, 1, 1, 3, 20, 150))


def _swap(rng: Random, frames: Octets, other: Octets) -> None:
    one, two = rng.randrange(len(frames)), rng.randrange(len(frames))
    frames[one], frames[two] = frames[two], frames[one]


def _splice(rng: Random, frames: Octets, other: Octets) -> None:
    start = rng.randrange(len(other))
    frames[rng.randrange(len(frames)) :] = other[start : start + rng.choice((1, 3, 100))]


def _insert(rng: Random, frames: Octets, other: Octets) -> None:
    frames.insert(rng.randint(1, len(frames)), random_frame(rng))


def _change_header(rng: Random, frames: Octets, other: Octets) -> None:
    place = rng.randrange(len(frames))
    octets = bytearray(frames[place])
    which = rng.choice((0, 1, 2, 3, 4, 4, 4, 8, 8))
    if len(octets) > which:
        octets[which] ^= 1 << rng.randrange(8)
    frames[place] = bytes(octets)


def _change_payload(rng: Random, frames: Octets, other: Octets) -> None:
    place = rng.randrange(len(frames))
    octets = bytearray(frames[place])
    for _ in range(rng.choice((1, 1, 2, 8))):
        if len(octets) > 9:
            octets[rng.randrange(9, len(octets))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    frames[place] = bytes(octets)


def _resize(rng: Random, frames: Octets, other: Octets) -> None:
    """Another payload, of which the header knows."""
    place = rng.randrange(len(frames))
    header, payload = frames[place][:9], frames[place][9:]
    if rng.random() < 0.5:
        payload = payload[: rng.randint(0, len(payload))]
    else:
        payload += bytes(rng.choice((1, 2, 10, 300, 16384)))
    frames[place] = pack(">I", len(payload))[1:] + header[3:] + payload


def _set_number(rng: Random, frames: Octets, other: Octets) -> None:
    place = rng.randrange(len(frames))
    frames[place] = frames[place][:-4] + pack(">I", rng.choice(NUMBERS))


def _noise(rng: Random, frames: Octets, other: Octets) -> None:
    place = rng.randrange(len(frames))
    cut = rng.randint(0, len(frames[place]))
    frames[place] = frames[place][:cut] + rng.randbytes(rng.choice((1, 2, 9))) + frames[place][cut:]


MUTATIONS: tuple[Callable[[Random, Octets, Octets], None], ...] = (
    *(_drop, _repeat, _swap, _splice, _resize, _set_number, _noise),
    *(_insert, _insert, _insert, _change_header, _change_header, _change_payload, _change_payload),
)


def mutated(rng: Random, frames: Octets, other: Octets) -> Octets:
    """`frames` with a few changes, some of which come from another session."""
    frames = list(frames)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        rng.choice(MUTATIONS)(rng, frames, other)
        if not frames:
            return [PREFACE]
    return frames
