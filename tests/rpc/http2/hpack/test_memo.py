"""Literals that come again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.hpack import Decoder, Field
from gitaly_py.rpc.http2.hpack.memo import CHUNK, MAX_LITERALS, MAX_OCTETS
from tests.support.header_blocks import Headers, incremental, octets, plain, string

flags = [(b"flag-%d" % i, b"true") for i in range(30)]


@given(
    st.lists(
        st.lists(st.sampled_from(flags) | st.tuples(st.just(b"id"), st.binary(max_size=3)), max_size=40)
        | st.just(flags),
        max_size=12,
    )
)
@settings(max_examples=100)
def test_literals_that_come_again_in_any_order_are_decoded_as_the_first_time(lists: list[Headers]) -> None:
    decoder = Decoder()
    for headers in lists:
        for _ in range(2):
            assert octets(decoder.decode(b"".join(plain(*pair) for pair in headers))) == headers


def own_decoder() -> Decoder:
    """A decoder whose memo no other test has used."""

    def make_field(name: bytes, value: bytes) -> Field:
        return name.decode(), value

    return Decoder(make_field=make_field)


def test_literals_that_never_come_again_do_not_pile_up() -> None:
    decoder = own_decoder()
    for i in range(5000):
        decoder.decode(plain(b"n%d" % i, b"") + plain(b"m%d" % i, b"") + incremental(b"o%d" % i, b""))
    assert 0 < len(decoder._memo.chunks) <= MAX_LITERALS
    assert 0 < len(decoder._memo.entries) <= MAX_LITERALS


def test_literals_that_come_together_are_kept_together_up_to_a_number() -> None:
    decoder = own_decoder()
    for _ in range(10):
        decoder.decode(b"".join(plain(*pair) for pair in flags))
    assert len(decoder._memo.chunks[plain(*flags[0])].fields) == CHUNK
    assert max(len(chunk.fields) for chunk in decoder._memo.chunks.values()) == CHUNK


def test_a_literal_that_is_followed_by_this_and_that_is_kept_alone() -> None:
    decoder = own_decoder()
    one, other, third = (plain(*pair) for pair in flags[:3])
    for following in (other, other, third, third, third):
        decoder.decode(one + following)
    assert len(decoder._memo.chunks[one].fields) == 1


def test_what_is_long_or_must_not_be_indexed_is_not_remembered() -> None:
    decoder = own_decoder()
    decoder.decode(b"\x10" + string(b"authorization") + string(b"secret"))
    decoder.decode(plain(b"long", b"v" * MAX_OCTETS) + incremental(b"long", b"v" * MAX_OCTETS))
    assert not decoder._memo.chunks
    assert not decoder._memo.entries


def test_connections_share_what_was_made_of_a_literal() -> None:
    block = plain(b"name", b"value") + incremental(b"name", b"value")
    assert all(
        one is other for one, other in zip(Decoder().decode(block), Decoder().decode(block), strict=True)
    )
