"""Bodies, paths and answers of the gateway."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.gateway import Gateway, basic
from tests.support.pushes import eventually
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, git_processes, noisy, pack_of, pkt, report, update, wants

ZERO = "0" * 40
RESULT = "application/x-git-{}-result"


@pytest.fixture
def filled(repo: Repo) -> Repo:
    repo.history(3, "refs/heads/main")
    return repo


def post(repo: Repo, service: str) -> str:
    return f"/{repo.message.relative_path}/git-{service}"


def pushed(repo: Repo, tmp_path: Path, *, noise: int = 100) -> tuple[str, bytes]:
    """A new commit and the body of its push to `refs/heads/new`."""
    source = Repo.init(tmp_path / "source")
    oid = source.commit("new\n", {"file": os.urandom(noise)}, ref="refs/heads/new")
    return oid, update(ZERO, oid, "refs/heads/new", pack_of(source, oid))


@pytest.mark.parametrize("service", ["upload-pack", "receive-pack"])
def test_an_advertisement_is_that_of_git_behind_a_header(
    gateway: Gateway, filled: Repo, service: str
) -> None:
    response = gateway.request("GET", f"/{filled.message.relative_path}/info/refs?service=git-{service}")

    assert response.body.startswith(pkt(f"# service=git-{service}\n") + FLUSH)
    assert filled.git("rev-parse", "main").encode() in response.body
    assert response.headers["content-type"] == f"application/x-git-{service}-advertisement"
    assert response.headers["cache-control"] == "no-cache, max-age=0, must-revalidate"


def test_the_protocol_that_is_asked_for_reaches_git(gateway: Gateway, filled: Repo) -> None:
    path = f"/{filled.message.relative_path}/info/refs?service=git-upload-pack"

    response = gateway.request("GET", path, headers={"Git-Protocol": "version=2"})

    assert pkt("version 2\n") in response.body


def test_a_fetch_gets_a_pack(gateway: Gateway, filled: Repo) -> None:
    response = gateway.request("POST", post(filled, "upload-pack"), wants(filled.git("rev-parse", "main")))

    assert (response.status, response.body[:12]) == (200, b"0008NAK\nPACK")
    assert response.headers["content-type"] == RESULT.format("upload-pack")
    assert response.headers["cache-control"] == "no-cache, max-age=0, must-revalidate"


def compressed(data: bytes, encoding: str) -> bytes:
    return gzip.compress(data) if encoding == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_body_is_unpacked(gateway: Gateway, filled: Repo, encoding: str) -> None:
    body = compressed(wants(filled.git("rev-parse", "main")), encoding)

    response = gateway.request(
        "POST", post(filled, "upload-pack"), body, headers={"Content-Encoding": encoding}
    )

    assert (response.status, response.body[:12]) == (200, b"0008NAK\nPACK")


def test_a_body_may_come_packed_and_in_chunks(gateway: Gateway, repo: Repo, tmp_path: Path) -> None:
    oid, body = pushed(repo, tmp_path, noise=300_000)
    packed = gzip.compress(body)
    pieces = [packed[start : start + 5000] for start in range(0, len(packed), 5000)]

    response = gateway.request(
        "POST", post(repo, "receive-pack"), pieces, headers={"Content-Encoding": "gzip"}
    )

    assert (response.status, report(response.body)) == (200, ["unpack ok", "ok refs/heads/new"])
    assert response.headers["content-type"] == RESULT.format("receive-pack")
    assert repo.references() == {b"refs/heads/new": oid}


def test_a_body_that_is_not_what_it_says_is_a_bad_request(gateway: Gateway, repo: Repo) -> None:
    for service in ("upload-pack", "receive-pack"):
        response = gateway.request(
            "POST", post(repo, service), b"no gzip at all" * 100, headers={"Content-Encoding": "gzip"}
        )

        assert response.status == 400


def test_a_client_that_expects_leave_to_go_on_gets_it(gateway: Gateway, repo: Repo, tmp_path: Path) -> None:
    oid, body = pushed(repo, tmp_path, noise=3_000_000)
    (tmp_path / "body").write_bytes(body)
    url = f"http://127.0.0.1:{gateway.port}{post(repo, 'receive-pack')}"
    command = ["curl", "--silent", "--show-error", "--verbose", "--header", "Expect: 100-continue"]

    finished = subprocess.run(
        [*command, "--user", "rosa:rosas-secret", "--data-binary", f"@{tmp_path}/body", url],
        capture_output=True,
        check=True,
    )

    assert b"< HTTP/1.1 100 Continue" in finished.stderr
    assert report(finished.stdout) == ["unpack ok", "ok refs/heads/new"]
    assert repo.references() == {b"refs/heads/new": oid}


def test_who_may_not_push_gets_no_leave_to_go_on(gateway: Gateway, repo: Repo) -> None:
    head = f"POST {post(repo, 'receive-pack')} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
    head += f"Expect: 100-continue\r\nAuthorization: {basic('reader')}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(head.encode())

        assert connection.recv(1000).startswith(b"HTTP/1.1 403 Forbidden")


def test_an_object_that_is_not_there_is_refused_in_a_whole_answer(gateway: Gateway, filled: Repo) -> None:
    response = gateway.request("POST", post(filled, "upload-pack"), wants("1" * 40))

    assert (response.status, response.body) == (200, pkt(f"ERR upload-pack: not our ref {'1' * 40}"))


def test_a_fetch_that_git_cannot_read_is_an_error(gateway: Gateway, filled: Repo) -> None:
    response = gateway.request("POST", post(filled, "upload-pack"), b"this is no pkt-line")

    assert response.status == 500
    assert b"PACK" not in response.body


def test_a_push_that_git_gives_up_early_is_still_reported(gateway: Gateway, repo: Repo) -> None:
    pack = b"PACK" + struct.pack(">II", 2, 3) + b"\x90no zlib stream"
    body = update(ZERO, "1" * 40, "refs/heads/new", pack)
    pieces = [body, *[bytes(100_000)] * 400]

    response = gateway.request("POST", post(repo, "receive-pack"), pieces)

    assert response.status == 200
    assert report(response.body) == [
        "unpack unpack-objects abnormal exit",
        "ng refs/heads/new unpacker error",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "../repositories/1.git",
        "x/../repositories/1.git",
        "%2e%2e/repositories/1.git",
        "x/%2e%2E/repositories/1.git",
        "x%2F..%2Frepositories/1.git",
        "%2Fetc/passwd",
        "/etc/passwd",
        "./repositories/1.git",
        "repositories//1.git",
        "repositories/1.git%00",
        "+gitaly/tmp/1.git",
        "%2Bgitaly/tmp/1.git",
        "repositories/%2bgitaly",
        "repositories/1.git/objects/x.git",
        "repositories/1.git%2Fobjects",
    ],
)
@pytest.mark.parametrize("service", ["upload-pack", "receive-pack"])
def test_a_path_that_no_repository_has_is_not_found(
    gateway: Gateway, daemon: Daemon, path: str, service: str
) -> None:
    for request in (("GET", f"/{path}/info/refs?service=git-{service}"), ("POST", f"/{path}/git-{service}")):
        response = gateway.request(*request)

        assert (response.status, response.body) == (404, b"Not Found.\n"), request
    assert not (daemon.storage / "x").exists()


def test_a_newline_in_a_path_is_not_found(gateway: Gateway) -> None:
    assert gateway.request("GET", "/repositories/%0a1.git/info/refs?service=git-upload-pack").status == 404


def test_a_name_may_be_percent_encoded(gateway: Gateway, daemon: Daemon) -> None:
    repo = Repo.init(daemon.storage / "spaced ünïcode" / "a+b.git")
    oid = repo.history(1, "refs/heads/main")[0]

    path = "/spaced%20%C3%BCn%C3%AFcode/a+b.git/info/refs?service=git-upload-pack"

    assert oid.encode() in gateway.request("GET", path).body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "info/refs?service=git-upload-archive"),
        ("GET", "info/refs?service=upload-pack"),
        ("GET", "info/refs?service="),
        ("GET", "info/refs"),
        ("GET", "HEAD"),
        ("GET", "objects/info/packs"),
        ("POST", "git-upload-archive"),
        ("GET", ""),
    ],
)
def test_nothing_but_smart_http_is_served(gateway: Gateway, filled: Repo, method: str, path: str) -> None:
    assert gateway.request(method, f"/{filled.message.relative_path}/{path}").status == 404


def test_other_methods_are_not_allowed(gateway: Gateway, filled: Repo) -> None:
    assert gateway.request("POST", f"/{filled.message.relative_path}/info/refs").status == 405
    assert gateway.request("GET", post(filled, "upload-pack")).status == 405
    assert gateway.request("PUT", post(filled, "receive-pack")).status == 405


@pytest.fixture(scope="module")
def strict(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with small limits."""
    root = tmp_path_factory.mktemp("strict")
    limits = '[limits]\nmax_body_bytes = 20000\nidle_timeout = "1s"\nheader_timeout = "1s"\n'
    tables = '[[token]]\nname = "rosa"\ntoken = "rosas-secret"\nwrite = true\n'
    started = Gateway(root, daemon, tables=limits + tables).start()
    yield started
    assert started.stop() == 0


@pytest.mark.parametrize("service", ["upload-pack", "receive-pack"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_body_over_the_limit_is_refused(
    strict: Gateway, filled: Repo, tmp_path: Path, service: str, packed: bool
) -> None:
    body = (
        pushed(filled, tmp_path)[1] if service == "receive-pack" else wants(filled.git("rev-parse", "main"))
    )
    body += bytes(1_000_000)
    headers = {"Content-Encoding": "gzip"} if packed else {}

    response = strict.request(
        "POST", post(filled, service), gzip.compress(body) if packed else body, headers=headers
    )

    assert response.status == 413
    assert set(filled.references()) == {b"refs/heads/main"}


@pytest.mark.parametrize("service", ["upload-pack", "receive-pack"])
def test_a_client_that_stops_sending_is_given_up(
    strict: Gateway, daemon: Daemon, filled: Repo, service: str
) -> None:
    head = f"POST {post(filled, service)} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n"
    head += f"Authorization: {basic('rosa')}\r\n\r\n00"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(head.encode())

        assert connection.recv(1000).startswith(b"HTTP/1.1 408 Request Timeout")


def test_a_client_that_sends_no_headers_is_given_up(strict: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost:")

        assert connection.recv(1000) == b""


async def test_a_client_that_stops_reading_is_given_up(strict: Gateway, daemon: Daemon, repo: Repo) -> None:
    body = wants(noisy(repo, 40_000_000))
    head = f"POST {post(repo, 'upload-pack')} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: {basic('rosa')}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert git_processes(daemon, repo)

        await eventually(lambda: not git_processes(daemon, repo))


async def test_a_client_that_hangs_up_in_a_push_leaves_no_git_behind(
    gateway: Gateway, daemon: Daemon, filled: Repo
) -> None:
    head = f"POST {post(filled, 'receive-pack')} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n"
    head += f"Authorization: {basic('rosa')}\r\n\r\n00"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(head.encode())
        await eventually(lambda: bool(git_processes(daemon, filled)))

    await eventually(lambda: not git_processes(daemon, filled))


def test_without_its_daemon_the_gateway_is_unavailable_until_it_is_back(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("gitaly"), engine=engine)
    gateway = Gateway(daemon.root, daemon).start()
    repo = repository_in(daemon.storage)
    repo.history(1, "refs/heads/main")
    path = f"/{repo.message.relative_path}/info/refs?service=git-upload-pack"
    try:
        early = gateway.request("GET", path)
        daemon.start()
        served = gateway.request("GET", path)
        daemon.stop()
        late = gateway.request("GET", path)
        daemon.start()
        again = gateway.request("GET", path)
    finally:
        daemon.stop()
        gateway.stop()

    assert [response.status for response in (early, served, late, again)] == [503, 200, 503, 200]
    assert early.body == late.body
    assert early.body.startswith(b"The git server, Gitaly, is not available at this time.")


def test_a_daemon_that_refuses_the_gateways_token_is_an_error_of_the_gateway(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("gitaly"), engine=engine, token="s3cret").start()
    daemon.token = "other"
    gateway = Gateway(daemon.root, daemon).start()
    try:
        response = gateway.request("GET", "/a.git/info/refs?service=git-upload-pack")
    finally:
        daemon.stop()
        gateway.stop()

    assert (response.status, response.body) == (500, b"Internal Server Error.\n")
