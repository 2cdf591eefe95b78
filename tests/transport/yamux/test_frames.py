from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.transport.yamux.frames import HEADER_SIZE, SYN, FrameType, Header, decoded, encoded


def test_header_of_an_opening_frame_is_as_recorded() -> None:
    assert encoded(FrameType.WINDOW_UPDATE, SYN, 2, 0xFC0000).hex() == "000100010000000200fc0000"


def test_header_is_decoded_at_an_offset() -> None:
    data = b"xx" + bytes.fromhex("000000000000000200000008") + b"response"

    assert decoded(data, 2) == Header(0, FrameType.DATA, 0, 2, 8)


@given(st.integers(0, 3), st.integers(0, 15), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_decoding_gives_what_was_encoded(frame_type: int, flags: int, stream: int, length: int) -> None:
    data = encoded(frame_type, flags, stream, length)

    assert len(data) == HEADER_SIZE
    assert decoded(data) == (0, frame_type, flags, stream, length)
