"""The dynamic table: what is evicted, and how large it may be (RFC 7541 4)."""

from __future__ import annotations

import pytest

from gitaly_py.rpc.http2.hpack import Decoder, HpackError
from tests.support.header_blocks import incremental, indexed, string, update

ANNOUNCED = 65536


def entries(decoder: Decoder) -> list[str]:
    names = []
    for index in range(62, 10_000):
        try:
            names += [name for name, _ in decoder.decode(indexed(index))]
        except HpackError:
            break
    return names


def test_the_oldest_entries_are_evicted_and_an_entry_as_large_as_the_table_stays_alone() -> None:
    decoder = Decoder(table_size=100)
    decoder.decode(incremental(b"a", b"1") + incremental(b"b", b"2") + incremental(b"c", b"3"))
    assert entries(decoder) == ["c", "b"]
    decoder.decode(b"\x40" + string(b"d") + string(b"v" * 67))
    assert entries(decoder) == ["d"]


@pytest.mark.parametrize("name", [b"\x40\x01e", b"\x7e"], ids=["new name", "name of the evicted entry"])
def test_an_entry_larger_than_the_table_empties_it(name: bytes) -> None:
    decoder = Decoder(table_size=100)
    decoder.decode(incremental(b"e", b"1"))
    assert decoder.decode(name + string(b"v" * 68)) == [("e", "v" * 68)]
    assert entries(decoder) == []


def test_size_updates_stand_at_the_beginning_and_may_be_several() -> None:
    decoder = Decoder(table_size=ANNOUNCED)
    decoder.decode(incremental(b"a", b"1"))
    assert decoder.decode(update(0) + update(ANNOUNCED) + indexed(2)) == [(":method", "GET")]
    assert entries(decoder) == []
    decoder.decode(b"".join(incremental(b"n%d" % i, b"v" * 60) for i in range(60)))
    assert len(entries(decoder)) == 60
    with pytest.raises(HpackError, match="behind a field"):
        decoder.decode(indexed(2) + update(0))


def test_a_flood_of_size_updates_is_refused() -> None:
    assert Decoder().decode((update(0) + update(4096)) * 4 + indexed(2)) == [(":method", "GET")]
    with pytest.raises(HpackError, match="too many"):
        Decoder().decode(update(0) * 100_000)


def test_the_table_has_4096_octets_until_its_sender_says_otherwise() -> None:
    decoder = Decoder(table_size=ANNOUNCED)
    decoder.decode(b"".join(incremental(b"n%d" % (i % 10), b"v" * 62) for i in range(60)))
    assert len(entries(decoder)) == 4096 // (32 + 2 + 62)


def test_a_smaller_setting_must_be_answered_in_the_next_block() -> None:
    for answer in (update(100), update(0), update(30) + update(100)):
        decoder = Decoder()
        decoder.table_size = 100
        assert decoder.decode(answer + indexed(2)) == [(":method", "GET")]
        assert decoder.decode(indexed(2)) == [(":method", "GET")]
    for answer in (b"", indexed(2), update(101), indexed(2) + update(100), incremental(b"a", b"")):
        decoder = Decoder()
        decoder.table_size = 100
        with pytest.raises(HpackError):
            decoder.decode(answer)


def test_the_smallest_of_several_settings_must_be_answered_and_the_last_one_holds() -> None:
    for last in (200, 4096):
        decoder = Decoder()
        decoder.table_size = 100
        decoder.table_size = last
        with pytest.raises(HpackError):
            decoder.decode(update(last) + indexed(2))
    decoder = Decoder()
    decoder.table_size = 100
    decoder.table_size = 4096
    assert decoder.decode(update(100) + update(4096) + indexed(2)) == [(":method", "GET")]


def test_a_smaller_setting_that_the_table_already_keeps_needs_no_answer() -> None:
    decoder = Decoder(table_size=ANNOUNCED)
    decoder.table_size = 4096
    assert decoder.table_size == 4096
    assert decoder.decode(indexed(2)) == [(":method", "GET")]


def test_sizes_count_the_octets_that_came_whatever_field_was_made_of_them() -> None:
    decoder = Decoder(make_field=lambda *_: ("", ""), table_size=100)
    decoder.decode(incremental(b"a", b"v" * 20) + incremental(b"b", b"v" * 20))
    assert len(entries(decoder)) == 1
