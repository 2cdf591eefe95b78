"""Calls of the internal API against a real HTTP server (transport.md 9.1, 9.2; clients.md 4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from gitaly_py import __version__
from gitaly_py.rails.client import InternalApi
from gitaly_py.rails.errors import BadAnswer, InternalApiError, InvalidGlId, RateLimited, Refused, Unreachable
from gitaly_py.rails.push import Access, CheckInfo, Message, PoolMember, PostReceiveAnswer, Push
from gitaly_py.rails.settings import InternalApiSettings
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.correlation import current_id
from tests.support.rails import SECRET, Answer, Rails, running_rails

PUSH = Push(
    gl_repository="project-88",
    gl_id="key-31",
    protocol="ssh",
    changes=b"1111 2222 refs/heads/main\n",
    repository_path="/srv/git/aa/it's.git",
    relative_path="aa/it's.git",
    object_directory="objects/incoming-1",
    alternate_object_directories=("objects",),
    push_options=("ci.skip",),
    client_context=b'{"skip-ci":true}',
    remote_ip="10.1.2.3",
)
CALLS = {
    "/allowed": InternalApi.allowed,
    "/pre_receive": InternalApi.pre_receive,
    "/post_receive": InternalApi.post_receive,
}
PREFIXES = {
    "/allowed": "",
    "/pre_receive": "http post to gitlab api /pre_receive endpoint: ",
    "/post_receive": "http post to gitlab api /post_receive endpoint: ",
}


@pytest.fixture
async def rails() -> AsyncIterator[Rails]:
    async with running_rails() as double:
        yield double


@pytest.fixture
async def api(rails: Rails) -> AsyncIterator[InternalApi]:
    client = InternalApi(InternalApiSettings(url=rails.url, secret=b" " + SECRET + b"\n"))
    yield client
    await client.close()


async def test_allowed_sends_the_push(rails: Rails, api: InternalApi) -> None:
    assert await api.allowed(PUSH) == Access(allowed=True, message="")

    (request,) = rails.requests
    assert (request.method, request.path) == ("POST", "/allowed")
    assert request.body == {
        "action": "git-receive-pack",
        "gl_repository": "project-88",
        "project": "/srv/git/aa/its.git",
        "changes": "1111 2222 refs/heads/main\n",
        "protocol": "ssh",
        "relative_path": "aa/it's.git",
        "env": '{"GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE":["objects"],'
        '"GIT_OBJECT_DIRECTORY_RELATIVE":"objects/incoming-1"}',
        "key_id": "31",
        "push_options": ["ci.skip"],
        "gitaly_client_context_bin": "eyJza2lwLWNpIjp0cnVlfQ==",
    }


async def test_allowed_leaves_out_what_is_empty_except_env(rails: Rails, api: InternalApi) -> None:
    await api.allowed(Push(gl_repository="", gl_id="user-1"))

    env = '{"GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE":null,"GIT_OBJECT_DIRECTORY_RELATIVE":""}'
    assert rails.requests[0].body == {"action": "git-receive-pack", "user_id": "1", "env": env}


@pytest.mark.parametrize(
    ("gl_id", "parameter"),
    [
        ("user-3", {"user_id": "3"}),
        ("key-4", {"key_id": "4"}),
        ("username-jane-doe", {"username": "jane-doe"}),
    ],
)
async def test_allowed_names_the_pusher(
    rails: Rails, api: InternalApi, gl_id: str, parameter: dict[str, str]
) -> None:
    await api.allowed(Push(gl_repository="project-1", gl_id=gl_id))

    names = ("user_id", "key_id", "username")
    assert {name: value for name, value in rails.requests[0].body.items() if name in names} == parameter


@pytest.mark.parametrize("gl_id", ["", "user-", "user-x", "3", "deploy-3", "user-1\n"])
async def test_allowed_refuses_an_unknown_form_of_pusher_without_asking(
    rails: Rails, api: InternalApi, gl_id: str
) -> None:
    with pytest.raises(InvalidGlId) as caught:
        await api.allowed(Push(gl_repository="project-1", gl_id=gl_id))

    shown = gl_id.replace("\n", "\\n")
    assert str(caught.value) == f'setting gl_id: gl_id="{shown}" is invalid'
    assert rails.requests == []


async def test_bytes_that_are_no_utf8_are_replaced(rails: Rails, api: InternalApi) -> None:
    await api.post_receive(
        Push(gl_repository="project-1", gl_id="user-1", changes=b"\xff", push_options=("\udcff",))
    )

    assert rails.requests[0].body["changes"] == "\ufffd"
    assert rails.requests[0].body["push_options"] == ["\ufffd"]


async def test_pre_receive_names_the_repository(rails: Rails, api: InternalApi) -> None:
    assert await api.pre_receive(PUSH) is True

    assert rails.requests[0].body == {"gl_repository": "project-88"}


async def test_pre_receive_tells_when_rails_did_not_count(rails: Rails, api: InternalApi) -> None:
    rails.answers["/pre_receive"] = Answer({"reference_counter_increased": False})

    assert await api.pre_receive(PUSH) is False


async def test_post_receive_gives_messages(rails: Rails, api: InternalApi) -> None:
    rails.answers["/post_receive"] = Answer(
        {"reference_counter_decreased": True, "messages": [{"message": "hi", "type": "basic"}]}
    )

    assert await api.post_receive(PUSH) == PostReceiveAnswer(True, (Message("hi", "basic"),))
    assert rails.requests[0].body == {
        "gl_repository": "project-88",
        "identifier": "key-31",
        "changes": "1111 2222 refs/heads/main\n",
        "gitaly_client_context_bin": "eyJza2lwLWNpIjp0cnVlfQ==",
        "push_options": ["ci.skip"],
    }


async def test_post_receive_sends_null_for_what_is_not_there(rails: Rails, api: InternalApi) -> None:
    rails.answers["/post_receive"] = Answer({"reference_counter_decreased": False, "messages": None})

    assert await api.post_receive(Push(gl_repository="project-1", gl_id="user-1")) == PostReceiveAnswer(False)
    body = rails.requests[0].body
    assert (body["gitaly_client_context_bin"], body["push_options"]) == (None, None)


@pytest.mark.parametrize("name", ["gitlab_rev", "gitlab_revision"])
async def test_check_reads_either_name_of_the_revision(rails: Rails, api: InternalApi, name: str) -> None:
    rails.answers["/check"] = Answer(
        {"api_version": "v4", "gitlab_version": "18.9.0", name: "0a1b", "redis": True}
    )

    assert await api.check() == CheckInfo("18.9.0", "0a1b", "v4", redis=True)
    assert rails.requests[0].method == "GET"


async def test_object_pool_members_are_given_by_pool(rails: Rails, api: InternalApi) -> None:
    row = {"relative_path": "a.git", "public": True, "is_upstream": True}
    rails.answers["/gitaly/object_pool_members"] = Answer({"@pools/x": [row], "@pools/y": None})

    members = await api.object_pool_members("default", ["@pools/x", "@pools/y"], upstream_only=True)

    assert members == {"@pools/x": [PoolMember("a.git", public=True, is_upstream=True)], "@pools/y": []}
    assert rails.requests[0].query == [
        ("disk_paths[]", "@pools/x"),
        ("disk_paths[]", "@pools/y"),
        ("storage", "default"),
        ("upstream_only", "true"),
    ]


async def test_every_request_carries_the_headers(rails: Rails, api: InternalApi) -> None:
    token = current_id.set("correlation-1")
    try:
        await api.pre_receive(PUSH)
    finally:
        current_id.reset(token)

    headers = rails.requests[0].headers
    claims = jwt.decode(headers["Gitlab-Shell-Api-Request"], SECRET, ["HS256"], issuer="gitlab-shell")
    assert claims["exp"] - claims["iat"] == 60
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"gitaly/{__version__}"
    assert headers["X-Request-ID"] == "correlation-1"
    assert headers["X-Forwarded-For"] == "10.1.2.3"
    assert headers["Connection"] == "close"
    assert "Authorization" not in headers


async def test_user_and_password_become_basic_authentication(rails: Rails) -> None:
    api = InternalApi(InternalApiSettings(url=rails.url, secret=SECRET, user="git", password="pä:ss"))
    await api.check()
    await api.close()

    assert rails.requests[0].headers["Authorization"] == "Basic Z2l0OnDDpDpzcw=="


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        pytest.param(
            Answer({"message": "No push for you."}, status=401), Refused, "No push for you.", id="401 JSON"
        ),
        pytest.param(Answer({"message": ""}, status=404), Refused, "", id="404 empty message"),
        pytest.param(
            Answer("<html>", status=401, content_type="text/html"),
            Refused,
            "Internal API error (401)",
            id="401 HTML",
        ),
        pytest.param(Answer([1], status=500), Refused, "Internal API error (500)", id="500 list"),
        pytest.param(Answer({"message": "slow down"}, status=429), RateLimited, "rate limited", id="429"),
    ],
)
async def test_error_statuses_have_their_texts(
    rails: Rails, api: InternalApi, path: str, answer: Answer, kind: type[InternalApiError], text: str
) -> None:
    rails.answers[path] = answer

    with pytest.raises(kind) as caught:
        await CALLS[path](api, PUSH)

    assert str(caught.value) == PREFIXES[path] + text


@pytest.mark.parametrize("path", CALLS)
async def test_an_api_that_is_down_is_unreachable(path: str) -> None:
    async with running_rails() as rails:
        url = rails.url
    api = InternalApi(InternalApiSettings(url=url, secret=SECRET))

    with pytest.raises(Unreachable) as caught:
        await CALLS[path](api, PUSH)

    await api.close()
    assert str(caught.value) == PREFIXES[path] + "Internal API unreachable"


async def test_an_answer_later_than_the_read_timeout_is_unreachable(rails: Rails) -> None:
    rails.answers["/allowed"] = Answer(until=asyncio.Event())
    api = InternalApi(InternalApiSettings(url=rails.url, secret=SECRET, read_timeout=0.05))

    with pytest.raises(Unreachable, match=r"^Internal API unreachable$"):
        await api.allowed(PUSH)

    await api.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer({}, status=201), "gitlab api is not accessible: 201"),
        (Answer("", status=302, headers={"Location": "/x"}), "gitlab api is not accessible: 302"),
        (
            Answer("{}", content_type="text/plain"),
            "/allowed endpoint respond with unsupported content type: text/plain; charset=utf-8",
        ),
        (Answer("[]"), "decoding response from /allowed endpoint: not an object"),
        (Answer({"status": "yes"}), "decoding response from /allowed endpoint: status has the wrong type"),
    ],
)
async def test_an_answer_of_another_form_is_an_error(
    rails: Rails, api: InternalApi, answer: Answer, text: str
) -> None:
    rails.answers["/allowed"] = answer

    with pytest.raises(BadAnswer) as caught:
        await api.allowed(PUSH)

    assert str(caught.value) == text


async def test_bad_json_is_an_error(rails: Rails, api: InternalApi) -> None:
    rails.answers["/allowed"] = Answer("{")

    with pytest.raises(BadAnswer, match=r"^decoding response from /allowed endpoint: "):
        await api.allowed(PUSH)


@pytest.mark.parametrize("messages", [1, [1], [{"message": 1}]])
async def test_messages_of_another_form_are_an_error(rails: Rails, api: InternalApi, messages: Any) -> None:
    rails.answers["/post_receive"] = Answer({"reference_counter_decreased": True, "messages": messages})

    with pytest.raises(BadAnswer, match="decoding response from /post_receive endpoint: "):
        await api.post_receive(PUSH)


async def test_status_300_of_allowed_is_read(rails: Rails, api: InternalApi) -> None:
    rails.answers["/allowed"] = Answer({"status": True, "message": "custom action"}, status=300)

    assert await api.allowed(PUSH) == Access(allowed=True, message="custom action")


async def test_calls_are_timed_by_endpoint(api: InternalApi) -> None:
    before = metrics.REGISTRY.get_sample_value(
        "gitaly_gitlab_api_latency_seconds_count", {"endpoint": "pre-receive"}
    )
    await api.pre_receive(PUSH)

    after = metrics.REGISTRY.get_sample_value(
        "gitaly_gitlab_api_latency_seconds_count", {"endpoint": "pre-receive"}
    )
    assert after == (before or 0) + 1
