"""What holds of any octets: no exception, no dependence on how they are cut, no growth, no lost credit."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.events import ConnectionFailed, Event
from gitaly_py.rpc.http2.limits import Limits
from tests.support.http2 import DEFAULT_WINDOW, PREFACE, headers
from tests.support.http2 import settings as settings_frame
from tests.support.http2_driver import Driver
from tests.support.http2_inputs import Octets, cuts, mutated, random_frame, session

LIMITS = [
    Limits(),
    Limits(stream_window=DEFAULT_WINDOW, connection_window=DEFAULT_WINDOW),
    Limits(
        max_streams=2, max_header_list=1000, max_continuations=3, max_frame=16384, resets=10, empty_frames=20
    ),
]
SEEDS = st.integers(0, 2**32 - 1)


def new_connection(limits: Limits) -> Connection:
    return Connection(limits, clock=lambda: 0.0)


def received(connection: Connection, parts: list[bytes]) -> tuple[list[Event], bytes]:
    return [event for part in parts for event in connection.receive(part)], b"".join(connection.take(1 << 30))


@st.composite
def sessions(draw: st.DrawFn) -> Octets:
    return session(Random(draw(SEEDS)))


@st.composite
def wrong_sessions(draw: st.DrawFn) -> Octets:
    rng = Random(draw(SEEDS))
    return mutated(rng, session(rng), session(rng))


@st.composite
def random_frames(draw: st.DrawFn) -> Octets:
    rng = Random(draw(SEEDS))
    return [PREFACE, settings_frame().octets, *(random_frame(rng) for _ in range(rng.randrange(60)))]


INPUTS = st.one_of(
    sessions(), wrong_sessions(), random_frames(), st.lists(st.binary(max_size=60), max_size=5)
)


@settings(max_examples=100, deadline=None)
@given(frames=INPUTS, limits=st.sampled_from(LIMITS), places=st.lists(st.integers(0, 5000), max_size=20))
def test_any_split_gives_the_same_events_and_answers(
    frames: Octets, limits: Limits, places: list[int]
) -> None:
    octets = b"".join(frames)
    ends = sorted({0, len(octets), *(place for place in places if place < len(octets))})
    parts = [octets[start:stop] for start, stop in pairwise(ends)]

    assert received(new_connection(limits), parts) == received(new_connection(limits), [octets])


@settings(max_examples=100, deadline=None)
@given(frames=INPUTS, limits=st.sampled_from(LIMITS), seed=SEEDS)
def test_whatever_comes_credit_is_kept_memory_is_bounded_and_windows_are_heeded(
    frames: Octets, limits: Limits, seed: int
) -> None:
    rng = Random(seed)
    octets = b"".join(frames)
    driver = Driver(limits, rng)
    driver.ledger.granted(octets)

    for part in cuts(rng, octets):
        driver.receive(part)

    driver.finish()


@settings(max_examples=50, deadline=None)
@given(frames=st.one_of(wrong_sessions(), random_frames()), limits=st.sampled_from(LIMITS))
def test_nothing_comes_after_a_fault(frames: Octets, limits: Limits) -> None:
    connection = new_connection(limits)
    events, _ = received(connection, frames)
    failures = [event for event in events if isinstance(event, ConnectionFailed)]
    if not failures:
        connection.receive(PREFACE + bytes(1 << 17))
        connection.take(1 << 30)
    else:
        assert failures == events[-1:]

    assert received(connection, [PREFACE, headers(1).octets, bytes(1 << 17)]) == ([], b"")
    assert connection._receiver._reader._parts == []


@settings(max_examples=100, deadline=None)
@given(frames=sessions())
def test_client_that_keeps_the_rules_hears_of_no_fault(frames: Octets) -> None:
    events, _ = received(new_connection(Limits(ping_strikes=0)), frames)

    assert not [event for event in events if isinstance(event, ConnectionFailed)]
