"""nghttp: unusual frames, tiny windows, and what the daemon's own frames look like."""

from __future__ import annotations

import asyncio
import base64
import os
import uuid
from pathlib import Path

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest

from gitaly_py.pb.blob_pb2 import GetBlobRequest
from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.smarthttp_pb2 import PostReceivePackRequest
from tests.support.nghttp import GRPC, Conversation, nghttp
from tests.support.peers import Served, framed, needs
from tests.support.repositories import Repo
from tests.support.smarthttp import PUSHER, creation, stored_blob, update

pytestmark = needs("nghttp", "nghttp2-client")

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
FIND_COMMIT = "/gitaly.CommitService/FindCommit"
GET_BLOB = "/gitaly.BlobService/GetBlob"
PUSH = "/gitaly.SmartHTTPService/PostReceivePack"
OK = ("200", "0")
END_STREAM, PADDED, PRIORITY = 0x1, 0x8, 0x20


@pytest.fixture
def repo(native: Served) -> Repo:
    return native.repo()


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """The file whose content is the body of requests; one empty message at first."""
    path = tmp_path / "body"
    path.write_bytes(framed(HealthCheckRequest()))
    return path


async def call(native: Served, path: str, body: Path, *more: str, kind: str = "tcp") -> Conversation:
    return await nghttp(*GRPC, f"--data={body}", *more, native.url(kind, path))


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_a_response_is_headers_data_and_trailers(native: Served, body: Path, kind: str) -> None:
    answer = await call(native, CHECK, body, kind=kind)

    (stream,) = answer.responses
    frames = [frame for frame in answer.frames if frame.stream == stream and not frame.sent]
    assert [(frame.kind, frame.flags & END_STREAM) for frame in frames] == [
        ("HEADERS", 0),
        ("DATA", 0),
        ("HEADERS", END_STREAM),
    ]
    assert answer.responses[stream]["content-type"] == "application/grpc"
    assert answer.statuses == [OK]
    assert [frame.length for frame in frames if frame.kind == "DATA"] == [7]


async def test_an_error_is_one_block(native: Served, body: Path) -> None:
    body.write_bytes(framed(HealthCheckRequest(service="gitaly.No" + "é%")))
    answer = await call(native, CHECK, body)

    (frame,) = answer.received("HEADERS")
    assert frame.flags & END_STREAM
    assert answer.statuses == [("200", "5")]
    assert answer.received("DATA") == []


@pytest.mark.parametrize(
    ("option", "kind", "flag"),
    [
        ("--padding=200", "HEADERS", PADDED),
        ("--padding=1", "DATA", PADDED),
        ("--weight=256", "HEADERS", PRIORITY),
    ],
)
async def test_what_a_frame_may_carry_besides_is_passed_over(
    native: Served, body: Path, option: str, kind: str, flag: int
) -> None:
    answer = await call(native, CHECK, body, option, "-m", "20")

    assert all(frame.flags & flag for frame in answer.sent(kind))
    assert answer.statuses == [OK] * 20


@pytest.mark.parametrize("option", ["--no-dep", "--no-rfc7540-pri", "--no-content-length", "--no-push"])
async def test_an_option_of_the_client_makes_no_difference(native: Served, body: Path, option: str) -> None:
    assert (await call(native, CHECK, body, option)).statuses == [OK]


async def test_a_padded_body_is_read_whole(native: Served, repo: Repo, body: Path, tmp_path: Path) -> None:
    oid, pack = creation(repo, Repo.init(tmp_path / "source"), noise=3 << 20)
    first = PostReceivePackRequest(repository=repo.message, **PUSHER)
    body.write_bytes(framed(first, PostReceivePackRequest(data=pack)))

    answer = await call(native, PUSH, body, "--padding=255")

    assert answer.statuses == [OK]
    assert sum(frame.length for frame in answer.sent("DATA")) > body.stat().st_size
    assert repo.references() == {b"refs/heads/main": oid}


async def test_header_blocks_go_on_in_continuations(native: Served, repo: Repo, body: Path) -> None:
    (oid,) = repo.history(1, "refs/heads/main")
    body.write_bytes(framed(FindCommitRequest(repository=repo.message, revision=oid.encode())))
    correlation = uuid.uuid4().hex
    flags = [f"gitaly-feature-{number}: {'true' if number % 2 else 'x' * 10_000}" for number in range(10)]
    headers = [f"-H{field}" for field in (*flags, f"x-gitlab-correlation-id: {correlation}")]

    answer = await call(native, FIND_COMMIT, body, *headers)

    # nghttp prints the block as one frame, and cuts it every 16384 octets.
    assert answer.sent("HEADERS")[0].length > 2 * 16384
    assert answer.statuses == [OK]
    entry = await native.daemon.access_entry("FindCommit", correlation_id=correlation)
    assert entry["feature_flags"] == "1 3 5 7 9"


@pytest.mark.parametrize("table", [["-c0"], ["-c4096", "-c0", "-c65536"], ["--encoder-header-table-size=0"]])
async def test_any_header_table_will_do(native: Served, body: Path, table: list[str]) -> None:
    headers = [f"-Hgitaly-feature-{number}: true" for number in range(40)]

    answer = await call(native, CHECK, body, *table, *headers, "-m", "50")

    assert answer.statuses == [OK] * 50


@pytest.mark.parametrize("bits", [1, 5, 14, 30])
async def test_no_window_is_too_small_or_too_large(native: Served, repo: Repo, body: Path, bits: int) -> None:
    size = min(200 << bits, 5 << 20)
    oid = stored_blob(repo, os.urandom(size))
    body.write_bytes(framed(GetBlobRequest(repository=repo.message, oid=oid, limit=-1)))

    answer = await call(native, GET_BLOB, body, f"-w{bits}", f"-W{bits}", "-m", "2")

    assert answer.statuses == [OK] * 2
    lengths = [frame.length for frame in answer.received("DATA")]
    assert sum(lengths) >= 2 * size
    assert max(lengths) <= min(2**bits - 1, 16384)


async def test_streams_take_turns(native: Served, repo: Repo, body: Path) -> None:
    # Small enough to be read without a git process: those would start one after the other.
    oid = stored_blob(repo, os.urandom(400 << 10))
    body.write_bytes(framed(GetBlobRequest(repository=repo.message, oid=oid, limit=-1)))

    answer = await call(native, GET_BLOB, body, "-m", "3", "-w16", "-W30")

    order = [frame.stream for frame in answer.received("DATA")]
    first_end = min(len(order) - order[::-1].index(stream) for stream in set(order))
    assert answer.statuses == [OK] * 3
    assert set(order[:first_end]) == set(answer.responses)


async def test_a_deadline_is_kept_though_the_client_waits_on(native: Served, body: Path) -> None:
    answer = await call(native, WATCH, body, "-Hgrpc-timeout: 200m")

    assert answer.statuses == [("200", "4")]
    assert next(iter(answer.responses.values()))["grpc-message"] == "context deadline exceeded"


async def test_binary_metadata_may_come_in_any_of_its_forms(native: Served, repo: Repo, body: Path) -> None:
    value = bytes(range(100))
    padded = base64.b64encode(value).decode()
    seen = []
    for text in (padded, padded.rstrip("="), f"{padded},AAAA"):
        (oid,) = repo.history(1, "refs/heads/gone")
        push = update(oid, repo.format.zero_oid, "refs/heads/gone")
        first = PostReceivePackRequest(repository=repo.message, **PUSHER)
        body.write_bytes(framed(first, PostReceivePackRequest(data=push)))
        native.rails.requests.clear()
        answer = await call(native, PUSH, body, f"-Hgitaly-client-context-bin: {text}")
        assert answer.statuses == [OK]
        seen.append(native.rails.asked("/allowed")[0].body["gitaly_client_context_bin"])

    assert [base64.b64decode(each) for each in seen] == [value] * 3


async def test_trailers_of_a_request_are_no_fault(native: Served, body: Path) -> None:
    answer = await call(native, CHECK, body, "--trailer=checksum: 1")

    assert [frame.flags & END_STREAM for frame in answer.sent("HEADERS")] == [0, END_STREAM]
    assert answer.statuses == [OK]


async def test_who_expects_a_continue_gets_its_answer(native: Served, body: Path) -> None:
    assert (await call(native, CHECK, body, "--expect-continue")).statuses == [OK]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["content-type: application/json"], ("415", "3")),
        (["content-type: application/grpc", "grpc-encoding: br"], ("200", "12")),
        (["content-type: application/grpc", "grpc-timeout: soon"], ("400", "13")),
        (["content-type: application/grpc+proto"], OK),
        (["content-type: application/grpc;charset=x", "grpc-timeout: 99999999H"], OK),
    ],
)
async def test_headers_decide_how_a_request_is_answered(
    native: Served, body: Path, headers: list[str], expected: tuple[str, str]
) -> None:
    fields = [f"-H{field}" for field in headers]

    assert (await nghttp(*fields, f"--data={body}", native.url("tcp", CHECK))).statuses == [expected]


@pytest.mark.parametrize("path", ["/grpc.health.v1.Health/Nothing", "/no.Service/Method", "/", "/Check"])
async def test_a_method_that_is_not_there_is_unimplemented(native: Served, body: Path, path: str) -> None:
    assert (await call(native, path, body)).statuses == [("200", "12")]


async def test_a_get_is_refused(native: Served) -> None:
    answer = await nghttp(*GRPC, native.url("tcp", CHECK))

    assert answer.statuses == [("405", "13")]


@pytest.mark.parametrize("with_body", [False, True])
async def test_an_upgrade_is_refused_at_once(native: Served, body: Path, with_body: bool) -> None:
    data = [f"--data={body}"] if with_body else []
    async with asyncio.timeout(10):
        answer = await nghttp("-u", *GRPC, *data, native.url("tcp", CHECK))

    assert (answer.responses, answer.frames) == ({}, [])
    assert "processed=0" in answer.text


async def test_a_body_that_ends_early_is_refused(native: Served, body: Path) -> None:
    body.write_bytes(b"\0\0\0\0\x09short")

    answer = await call(native, CHECK, body)

    assert answer.statuses == [("200", "13")]
