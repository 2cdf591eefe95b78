"""Header blocks, against RFC 7541 and the hpack library."""

from __future__ import annotations

import hpack
import pytest
from hpack.exceptions import HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.rpc.http2.hpack import Decoder, Field, HeaderListTooLarge, HpackError, TooManyFields
from gitaly_py.rpc.http2.hpack.static_table import STATIC_TABLE
from tests.support.header_blocks import incremental, indexed, number, octets, string, update

ANNOUNCED = 65536
encode_huffman = hpack.Encoder().huffman_coder.encode


REQUESTS = [  # C.3.1 to C.3.3, and C.4.1 to C.4.3 with Huffman code
    ("828684410f7777772e6578616d706c652e636f6d", "828684418cf1e3c2e5f23a6ba0ab90f4ff"),
    ("828684be58086e6f2d6361636865", "828684be5886a8eb10649cbf"),
    (
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ),
]
REQUEST_FIELDS = [
    ":method GET|:scheme http|:path /|:authority www.example.com",
    ":method GET|:scheme http|:path /|:authority www.example.com|cache-control no-cache",
    ":method GET|:scheme https|:path /index.html|:authority www.example.com|custom-key custom-value",
]
RESPONSES = [  # C.5.1 to C.5.3, and C.6.1 to C.6.3 with Huffman code
    (
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e17"
        "68747470733a2f2f7777772e6578616d706c652e636f6d",
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8"
        "e9ae82ae43d3",
    ),
    ("4803333037c1c0bf", "4883640effc1c0bf"),
    (
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153"
        "444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b39"
        "60d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ),
]
LAST = "date Mon, 21 Oct 2013 20:13:21 GMT|location https://www.example.com"
RESPONSE_FIELDS = [
    f":status 302|cache-control private|{LAST}",
    f":status 307|cache-control private|{LAST}",
    ":status 200|cache-control private|date Mon, 21 Oct 2013 20:13:22 GMT|location https://www.example.com|"
    "content-encoding gzip|set-cookie foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
]


def listed(fields: str) -> list[Field]:
    pairs = [field.split(" ", 1) for field in fields.split("|")]
    return [(name, value) for name, value in pairs]


@pytest.mark.parametrize("coded", [0, 1], ids=["plain", "huffman"])
@pytest.mark.parametrize(
    ("blocks", "expected", "table_size"),
    [(REQUESTS, REQUEST_FIELDS, 4096), (RESPONSES, RESPONSE_FIELDS, 256)],
    ids=["requests", "responses that evict"],
)
def test_the_examples_of_the_rfc_are_decoded(
    coded: int, blocks: list[tuple[str, str]], expected: list[str], table_size: int
) -> None:
    decoder = Decoder(table_size=table_size)
    for block, fields in zip(blocks, expected, strict=True):
        assert decoder.decode(bytes.fromhex(block[coded])) == listed(fields)


@pytest.mark.parametrize("first", ["04", "14", "44"], ids=["without", "never", "incremental"])
def test_only_incremental_literals_enter_the_table(first: str) -> None:
    decoder = Decoder()
    block = bytes.fromhex(first) + string(b"/sample/path")
    assert decoder.decode(block) == [(":path", "/sample/path")]
    if first == "44":
        assert decoder.decode(indexed(62)) == [(":path", "/sample/path")]
    else:
        with pytest.raises(HpackError):
            decoder.decode(indexed(62))


def test_every_static_entry_has_its_index() -> None:
    block = b"".join(indexed(index) for index in range(1, 62))
    assert octets(Decoder().decode(block)) == list(STATIC_TABLE)


@pytest.mark.parametrize("count", [1, 64, 66, 193, 194, 800], ids=str)
def test_indexes_of_one_two_and_three_octets_mean_the_same_table(count: int) -> None:
    decoder = Decoder(table_size=ANNOUNCED)
    decoder.decode(update(ANNOUNCED) + b"".join(incremental(b"n%d" % i, b"") for i in range(count)))
    downwards = b"".join(indexed(61 + count - i) for i in range(count))
    assert decoder.decode(downwards) == [(f"n{i}", "") for i in range(count)]
    upwards = b"".join(indexed(62 + i) for i in range(count))
    assert decoder.decode(upwards) == [(f"n{i}", "") for i in reversed(range(count))]
    for beyond in (62 + count, 62 + count + 128, 70000):
        with pytest.raises(HpackError):
            decoder.decode(indexed(62) + indexed(beyond))


header = st.tuples(
    st.sampled_from([b"te", b":path", b"a", b"b-bin", b"x" * 130]) | st.binary(min_size=1, max_size=8),
    st.sampled_from([b"", b"true", b"trailers", b"v" * 127, b"w" * 300]) | st.binary(max_size=40),
)
block = st.tuples(
    st.lists(st.tuples(header, st.booleans()), max_size=12),
    st.booleans(),
    st.sampled_from([None, None, None, 0, 40, 200, 1000, 4096, ANNOUNCED]),
)


@given(st.lists(block, max_size=20))
@settings(max_examples=100)
def test_what_the_library_encodes_on_one_connection_is_decoded(blocks: list[tuple]) -> None:
    encoder, decoder = hpack.Encoder(), Decoder(table_size=ANNOUNCED)
    for headers, huffman, table_size in blocks:
        if table_size is not None:
            encoder.header_table_size = table_size
        kinds = [(hpack.NeverIndexedHeaderTuple if never else hpack.HeaderTuple) for _, never in headers]
        coded = encoder.encode([kind(*h) for kind, (h, _) in zip(kinds, headers, strict=True)], huffman)
        assert octets(decoder.decode(coded)) == [pair for pair, _ in headers]


text = st.binary(max_size=12)
name_index = st.integers(1, 70) | st.integers(1, 400)
coded_string = st.builds(string, text) | st.builds(
    lambda value: string(encode_huffman(value), huffman=True), text
)
literal_kind = st.sampled_from([(6, 0x40), (4, 0x00), (4, 0x10)])
piece = st.one_of(
    st.builds(indexed, name_index),
    st.builds(
        lambda kind, name, value: bytes((kind[1],)) + name + value, literal_kind, coded_string, coded_string
    ),
    st.builds(
        lambda kind, index, value: number(index, *kind) + value, literal_kind, name_index, coded_string
    ),
    st.builds(update, st.integers(0, 200) | st.integers(4000, 5000)),
    st.binary(max_size=3),
)


@given(st.lists(st.lists(piece, max_size=6).map(b"".join) | st.binary(max_size=40), max_size=8))
@settings(max_examples=100)
def test_arbitrary_octets_are_decoded_or_refused_as_the_library_does(blocks: list[bytes]) -> None:
    library, decoder = hpack.Decoder(max_header_list_size=1 << 30), Decoder()
    for data in blocks:
        try:
            expected = [tuple(pair) for pair in library.decode(data, raw=True)]
        except HPACKError:
            with pytest.raises(HpackError):
                decoder.decode(data)
            return
        assert octets(decoder.decode(data)) == expected


@given(st.lists(st.lists(piece, max_size=6).map(b"".join), min_size=1, max_size=8))
@settings(max_examples=50)
def test_the_same_blocks_decode_alike_from_any_part_of_a_buffer(blocks: list[bytes]) -> None:
    one, other = Decoder(), Decoder()
    for data in blocks:
        try:
            expected = one.decode(data)
        except HpackError:
            with pytest.raises(HpackError):
                other.decode(b"\x82\x86" + data + b"\x83", 2, 2 + len(data))
            return
        assert other.decode(b"\x82\x86" + data + b"\x83", 2, 2 + len(data)) == expected


def test_a_block_may_be_all_of_a_buffer_from_somewhere_or_up_to_somewhere() -> None:
    assert Decoder().decode(b"\x82\x86\x83", 1) == [(":scheme", "http"), (":method", "POST")]
    assert Decoder().decode(b"\x82\x86\x83", 0, 1) == [(":method", "GET")]
    assert Decoder().decode(b"\x82\x86\x83", 0, 0) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\xbe",
        b"\xff",
        b"\xff\x80",
        b"\xff\xff\x7f",
        b"\x40",
        b"\x00\x05nam",
        b"\x00\x01a",
        b"\x00\x01a\x05abc",
        b"\x40\x01a\x7f\x80",
        b"\x44",
        b"\x7f\x00\x00",
        b"\x0f\x2f\x00",
        b"\x3f",
        b"\x82\x20",
        b"\x04\x82\xff\xff",
        update(4097),
    ],
    ids=lambda data: data.hex(),
)
def test_what_breaks_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(HpackError):
        Decoder().decode(data)


@pytest.mark.parametrize(
    "first", [b"\xff", b"\x7f", b"\x3f", b"\x0f", b"\x00\x7f", b"\x44\xff"], ids=bytes.hex
)
def test_a_number_beyond_all_bounds_is_refused(first: bytes) -> None:
    for rest in (b"\x80" * 5 + b"\x00" * 40, b"\xff" * 100_000):
        with pytest.raises(HpackError):
            Decoder().decode(first + rest)
        with pytest.raises(HPACKError):
            hpack.Decoder().decode(first + rest)


def test_a_number_with_leading_zeros_is_one() -> None:
    decoder = Decoder()
    decoder.decode(b"".join(incremental(b"n%d" % i, b"") for i in range(80)))
    for index in (b"\xff\x03", b"\xff\x83\x00", b"\xff\x83\x80\x00", b"\xff\x83\x80\x80\x80\x00"):
        assert decoder.decode(index * 2) == [("n11", "")] * 2
    assert Decoder().decode(b"\x0f\x80\x80\x00" + string(b"gzip")) == [("accept-charset", "gzip")]


def test_a_list_beyond_the_limit_leaves_the_table_right() -> None:
    decoder = Decoder(max_list_size=2 * 42)
    value = b"v" * 6
    assert len(decoder.decode(incremental(b"name", value) + indexed(62))) == 2
    with pytest.raises(HeaderListTooLarge) as raised:
        decoder.decode(incremental(b"late", value) + indexed(62) + indexed(63))
    assert raised.value.size == 3 * 42
    assert decoder.decode(indexed(62)) == [("late", "vvvvvv")]


@pytest.mark.parametrize("first", [b"\x40" + string(b":path"), b"\x44"], ids=["new name", "indexed name"])
def test_a_large_entry_counts_whenever_it_is_meant(first: bytes) -> None:
    block = first + string(b"v" * 463) + indexed(62) * 19
    assert len(Decoder(max_list_size=10_000).decode(block)) == 20
    with pytest.raises(HeaderListTooLarge) as raised:
        Decoder(max_list_size=9_999).decode(block)
    assert raised.value.size == 10_000


def test_all_parts_of_a_value_count() -> None:
    decoder = Decoder(make_field=lambda *_: ("name", (b"v" * 20, b"w" * 30)), max_list_size=85)
    with pytest.raises(HeaderListTooLarge) as raised:
        decoder.decode(incremental(b"name", b"v" * 50))
    assert raised.value.size == 86


@given(st.lists(st.tuples(header, st.booleans()), max_size=30), st.integers(0, 3000))
@settings(max_examples=100)
def test_the_limit_is_exact(headers: list, limit: int) -> None:
    encoder, decoder = hpack.Encoder(), Decoder(max_list_size=limit)
    pairs = [pair for pair, _ in headers] * 2
    size = sum(32 + len(name) + len(value) for name, value in pairs)
    coded = encoder.encode(pairs)
    if size > limit:
        with pytest.raises(HeaderListTooLarge):
            decoder.decode(coded)
    else:
        assert octets(decoder.decode(coded)) == pairs


def test_a_field_is_made_once_for_all_references_to_it() -> None:
    made = []

    def make_field(name: bytes, value: bytes) -> Field:
        made.append(name)
        return name.decode(), value

    decoder = Decoder(make_field=make_field)
    made.clear()
    (first,) = decoder.decode(incremental(b"name", b"value"))
    fields = decoder.decode(indexed(62) + indexed(62) + b"\x7e" + string(b"other"))
    assert fields == [("name", b"value"), ("name", b"value"), ("name", b"other")]
    assert fields[0] is fields[1] is first
    assert made == [b"name", b"name"]


@pytest.mark.parametrize(
    "field",
    [
        b"\x82",
        b"\x00\x01a\x01b",
        b"\x40\x01a\x01b",
        b"\xff\x00",
        b"\xff\x80\x01",
        b"\x0f\x10\x01a",
        b"\x41\x01a",
    ],
    ids=["indexed", "plain", "incremental", "far", "farther", "by name", "by name, incremental"],
)
def test_a_block_of_more_fields_than_its_list_may_need_is_given_up(field: bytes) -> None:
    decoder = Decoder(table_size=65536, max_list_size=2 << 20)
    fill = b"\x3f\xe1\xff\x03" + b"\x40\x01a\x01b" * 400

    assert len(decoder.decode(fill)) == 400
    assert len(decoder.decode(field * 2000)) == 2000
    with pytest.raises(TooManyFields):
        decoder.decode(field * 5000)
