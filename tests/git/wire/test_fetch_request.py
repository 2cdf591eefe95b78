from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.git.wire.fetch_request import FetchRequest, RequestReader
from tests.support.smarthttp import DELIM, FLUSH, pkt, wants

OID, OTHER = "1" * 40, "2" * 40


def v2(*arguments: str, command: str = "fetch", agent: str = "git/2.39.5") -> bytes:
    lines = b"".join(pkt(f"{line}\n") for line in arguments)
    return (
        pkt(f"command={command}\n")
        + pkt(f"agent={agent}")
        + pkt("object-format=sha1")
        + DELIM
        + lines
        + FLUSH
    )


def read(data: bytes, version: int) -> FetchRequest:
    """The one request that `data` is."""
    reader = RequestReader(version)
    request = reader.receive(data) or reader.end()
    assert request is not None
    assert reader.begun == b""
    return request


REQUESTS = st.lists(
    st.sampled_from(
        [FLUSH, v2(f"want {OID}", "done"), v2("peel", "ref-prefix refs/heads/", command="ls-refs"), v2()]
    ),
    max_size=5,
)


@given(REQUESTS, st.lists(st.integers(0, 400)))
def test_requests_are_cut_alike_however_they_arrive(requests: list[bytes], cuts: list[int]) -> None:
    data = b"".join(requests)
    reader = RequestReader(2)
    found = []
    begin = 0
    for end in [*sorted(cuts), len(data)]:
        request = reader.receive(data[begin:end])
        while request is not None:
            found.append(request.data)
            request = reader.receive()
        begin = max(begin, end)
    assert found == requests
    assert reader.begun == b""


@given(st.binary(max_size=200), st.sampled_from([0, 2]))
def test_no_input_raises_anything_and_none_is_lost(data: bytes, version: int) -> None:
    reader = RequestReader(version)
    found = []
    request = reader.receive(data)
    while request is not None:
        found.append(request)
        request = reader.receive()
    request = reader.end()
    if request is not None:
        found.append(request)
    assert b"".join(each.data for each in found) + reader.begun == data
    for each in found:
        assert isinstance(each.side_band, bool)
        assert isinstance(each.essence, bytes)
        assert isinstance(each.command, bytes)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(wants(OID), id="done"),
        pytest.param(wants(OID, haves=[OTHER], done=False), id="haves and a flush"),
    ],
)
def test_an_old_request_ends_by_itself(body: bytes) -> None:
    request = RequestReader(0).receive(body + b"0009done\n")

    assert request is not None
    assert request.data == body


def test_an_old_request_without_haves_ends_with_the_data() -> None:
    body = pkt(f"want {OID} shallow\n") + pkt("deepen 1\n") + FLUSH
    reader = RequestReader(0)

    assert reader.receive(body) is None
    request = reader.end()

    assert request is not None
    assert (request.data, request.deepens) == (body, True)


@pytest.mark.parametrize(
    ("data", "version"),
    [
        pytest.param(v2(f"want {OID}")[:-4], 2, id="no flush"),
        pytest.param(pkt(f"want {OID}\n")[:-3], 0, id="a packet that is cut off"),
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"zzzz", 0, id="garbage"),
    ],
)
def test_what_breaks_off_is_no_request(data: bytes, version: int) -> None:
    reader = RequestReader(version)

    assert reader.receive(data) is None
    assert reader.end() is None
    assert reader.begun == data


def test_garbage_is_malformed_at_once() -> None:
    reader = RequestReader(2)

    assert reader.receive(pkt("command=fetch\n") + b"no packet") is None
    assert reader.malformed
    assert reader.receive(FLUSH) is None


def test_the_command_is_what_comes_first() -> None:
    assert read(v2("peel", command="ls-refs"), 2).command == b"ls-refs"
    assert read(pkt(f"want {OID}\n") + FLUSH, 2).command == b""
    assert read(wants(OID), 0).command == b"fetch"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (read(wants(OID, capabilities="side-band-64k ofs-delta"), 0), True),
        (read(wants(OID, capabilities="side-band ofs-delta"), 0), False),
        (read(wants(OID), 0), False),
        (read(v2(f"want {OID}", "done"), 2), True),
        (read(v2("sideband-all", f"want {OID}", "done"), 2), False),
        (read(v2("packfile-uris https", f"want {OID}", "done"), 2), False),
    ],
)
def test_side_bands_are_known_before_git_is_asked(request_: FetchRequest, expected: bool) -> None:
    assert request_.side_band is expected


def test_what_a_client_calls_itself_is_not_of_the_essence() -> None:
    one, other = (read(v2(f"want {OID}", "done", agent=agent), 2) for agent in ("git/2.39.5", "JGit/6"))
    assert one.essence == other.essence
    old, older = (
        read(wants(OID, OTHER, capabilities=f"ofs-delta agent={agent} session-id={agent}"), 0)
        for agent in ("a", "bcd")
    )
    assert old.essence == older.essence


@pytest.mark.parametrize(
    "line", [f"want {OTHER}", "deepen 2", "filter blob:none", "no-progress", "want-ref agent=x"]
)
def test_everything_else_is(line: str) -> None:
    assert read(v2(f"want {OID}", line, "done"), 2).essence != read(v2(f"want {OID}", "done"), 2).essence


@pytest.mark.parametrize(
    ("line", "expected"),
    [("deepen-not refs/heads/old", True), ("want-ref refs/heads/main", True), ("deepen 1", False)],
)
def test_requests_by_name_depend_on_references(line: str, expected: bool) -> None:
    assert read(v2(f"want {OID}", line), 2).depends_on_references is expected


@given(st.lists(st.sampled_from([f"want {OID}", f"have {OTHER}", "deepen 1", "deepen", "done"])), st.data())
def test_what_comes_as_a_whole_is_read_as_what_comes_in_pieces(lines: list[str], data: st.DataObject) -> None:
    body = v2(*lines)
    cut = data.draw(st.integers(1, len(body) - 1))
    reader = RequestReader(2)
    assert reader.receive(body[:cut]) is None
    pieces = reader.receive(body[cut:])
    assert pieces is not None
    for whole in (read(body, 2), read(body, 2)):
        assert whole == pieces
        assert (whole.digest, whole.negotiation) == (pieces.digest, pieces.negotiation)
