"""Who gets in at the gateway, and what everyone else is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.gateway import Gateway, basic
from tests.support.pushes import eventually
from tests.support.repositories import Repo

FETCH, PUSH = "info/refs?service=git-upload-pack", "info/refs?service=git-receive-pack"
CHALLENGE = 'Basic realm="git"'


@pytest.fixture(scope="module")
def public(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway from which everyone may fetch."""
    started = Gateway(tmp_path_factory.mktemp("public"), daemon, extra="anonymous_read = true").start()
    yield started
    assert started.stop() == 0


@pytest.mark.parametrize(
    ("user", "fetch", "push"), [("rosa", 200, 200), ("reader", 200, 403), ("robot", 403, 200), ("", 401, 401)]
)
def test_a_token_allows_what_it_is_for(
    gateway: Gateway, repo: Repo, user: str, fetch: int, push: int
) -> None:
    path = f"/{repo.message.relative_path}/"

    assert gateway.request("GET", path + FETCH, user=user).status == fetch
    assert gateway.request("GET", path + PUSH, user=user).status == push
    assert gateway.request("POST", path + "git-upload-pack", b"0000", user=user).status == fetch
    assert gateway.request("POST", path + "git-receive-pack", b"0000", user=user).status == push


@pytest.mark.parametrize(
    ("user", "fetch", "push"), [("rosa", 200, 200), ("reader", 200, 403), ("robot", 200, 200), ("", 200, 401)]
)
def test_where_reading_is_free_a_push_still_needs_a_token(
    public: Gateway, repo: Repo, user: str, fetch: int, push: int
) -> None:
    path = f"/{repo.message.relative_path}/"

    assert public.request("GET", path + FETCH, user=user).status == fetch
    assert public.request("GET", path + PUSH, user=user).status == push


@pytest.mark.parametrize(
    "header",
    [
        basic("rosa", "wrong"),
        basic("reader", "rosas-secret"),
        basic("", "rosas-secret"),
        "Basic cm9zYQ==",
        "Basic not base64!",
        "Basic //79",
        "Basic",
        "Bearer wrong",
        "Bearer ",
        "Bearer \xff\xfe",
        "Digest rosa",
        "rosas-secret",
    ],
)
@pytest.mark.parametrize("open_to_all", [False, True])
def test_wrong_credentials_are_refused_even_where_none_are_needed(
    gateway: Gateway, public: Gateway, repo: Repo, header: str, open_to_all: bool
) -> None:
    asked = public if open_to_all else gateway

    response = asked.request(
        "GET", f"/{repo.message.relative_path}/{FETCH}", user="", headers={"Authorization": header}
    )

    assert (response.status, response.headers["www-authenticate"]) == (401, CHALLENGE)
    assert response.body == b"invalid credentials\n"


@pytest.mark.parametrize(
    "header", ["Bearer rosas-secret", "bearer  rosas-secret", basic("rosa").replace("Basic", "BASIC")]
)
def test_a_token_is_taken_in_either_scheme(gateway: Gateway, repo: Repo, header: str) -> None:
    response = gateway.request(
        "GET", f"/{repo.message.relative_path}/{FETCH}", user="", headers={"Authorization": header}
    )

    assert response.status == 200


def test_who_has_no_credentials_is_asked_for_them(gateway: Gateway, repo: Repo) -> None:
    response = gateway.request("GET", f"/{repo.message.relative_path}/{FETCH}", user="")

    assert (response.status, response.headers["www-authenticate"]) == (401, CHALLENGE)
    assert response.body == b"authentication required\n"


def test_whether_a_repository_exists_is_not_told_to_strangers(gateway: Gateway) -> None:
    assert gateway.request("GET", f"/nowhere.git/{FETCH}", user="").status == 401
    assert gateway.request("GET", f"/nowhere.git/{PUSH}", user="reader").status == 403


async def test_requests_are_logged_with_their_user(gateway: Gateway, repo: Repo) -> None:
    path = f"{repo.message.relative_path}/info/refs"
    body = gateway.request("GET", f"/{path}?service=git-upload-pack", user="reader").body

    await eventually(lambda: bool(gateway.requests(path)))
    (entry,) = gateway.requests(path)
    assert (entry["method"], entry["status"], entry["user"], entry["remote_ip"]) == (
        "GET",
        "200",
        "reader",
        "127.0.0.1",
    )
    assert int(entry["response_bytes"]) == len(body)


async def test_the_daemon_is_told_who_asks(gateway: Gateway, daemon: Daemon, repo: Repo) -> None:
    gateway.request("GET", f"/{repo.message.relative_path}/{FETCH}", user="reader")

    entry = await daemon.access_entry(
        "InfoRefsUploadPack", **{"grpc.request.repoPath": repo.message.relative_path}
    )
    assert (entry["username"], entry["remote_ip"]) == ("reader", "127.0.0.1")
    assert entry["grpc.meta.client_name"] == "gitaly-py-gateway"
