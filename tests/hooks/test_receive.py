"""The three hooks of a push as the daemon itself runs them (transport.md 8.3, 8.4; operations.md 1.9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gitaly_py.hooks.call import HookCall
from gitaly_py.hooks.errors import (
    ApiFailed,
    CustomHookFailed,
    Declined,
    HookError,
    InvalidHookCall,
    NotAllowed,
)
from gitaly_py.hooks.payload import Hook, Payload, Transaction, UserDetails
from tests.support.pushes import Collected, Pushes, install
from tests.support.rails import Answer, Rails

ZERO, OID = "0" * 40, "a" * 40
CHANGES = f"{ZERO} {OID} refs/heads/main\n".encode()
WEB = UserDetails(username="jane", userid="user-3", protocol="web")

Change = Callable[[HookCall], HookCall]


@pytest.fixture
def printed() -> Collected:
    return Collected()


@pytest.fixture
def call(pushes: Pushes, printed: Collected) -> HookCall:
    payload = Payload(repository=pushes.repository, user_details=WEB)
    return HookCall(
        payload=payload,
        repository=pushes.repository,
        path=pushes.target.path,
        output=printed.output,
        stdin=CHANGES,
    )


def with_payload(call: HookCall, **changes: Any) -> HookCall:
    return replace(call, payload=call.payload.model_copy(update=changes))


def with_user(**changes: str) -> Change:
    return lambda call: with_payload(call, user_details=WEB.model_copy(update=changes))


def without_stdin(call: HookCall) -> HookCall:
    return replace(call, stdin=b"")


def without_user(call: HookCall) -> HookCall:
    return with_payload(call, user_details=None)


def without_gl_repository(call: HookCall) -> HookCall:
    return replace(call, repository=call.repository.model_copy(update={"gl_repository": ""}))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without_stdin, "hook got no reference updates"),
        (without_gl_repository, "repository not set"),
        (without_user, "payload has no receive hooks info"),
        (with_user(userid=""), "user ID not set"),
        (with_user(protocol=""), "protocol not set"),
    ],
)
async def test_pre_receive_needs_its_facts(
    pushes: Pushes, rails: Rails, call: HookCall, change: Change, text: str
) -> None:
    with pytest.raises(InvalidHookCall) as caught:
        await pushes.hooks.pre_receive(change(call))

    assert str(caught.value) == text
    assert rails.requests == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without_stdin, "hook got no reference updates"),
        (without_user, "payload has no receive hooks info"),
        (with_user(userid=""), "user ID not set"),
        (without_gl_repository, "repository not set"),
    ],
)
async def test_post_receive_needs_its_facts(
    pushes: Pushes, rails: Rails, call: HookCall, change: Change, text: str
) -> None:
    with pytest.raises(InvalidHookCall) as caught:
        await pushes.hooks.post_receive(change(call))

    assert str(caught.value) == text
    assert rails.requests == []


@pytest.mark.parametrize(
    ("reference", "old", "new", "text"),
    [
        (b"", ZERO, OID, "hook got no reference"),
        (
            b"refs/heads/x",
            "12",
            OID,
            'hook got invalid old value: invalid object ID: "12", expected length 40, got 2',
        ),
        (
            b"refs/heads/x",
            ZERO,
            "G" * 40,
            f"hook got invalid new value: invalid object ID: \"{'G' * 40}\", invalid character 'G'",
        ),
    ],
)
async def test_update_needs_a_reference_and_object_ids(
    pushes: Pushes, call: HookCall, reference: bytes, old: str, new: str, text: str
) -> None:
    with pytest.raises(InvalidHookCall) as caught:
        await pushes.hooks.update(call, reference, old, new)

    assert str(caught.value) == text


async def test_update_needs_a_user(pushes: Pushes, call: HookCall) -> None:
    with pytest.raises(InvalidHookCall, match=r"^payload has no receive hooks info$"):
        await pushes.hooks.update(without_user(call), b"refs/heads/x", ZERO, OID)


async def test_update_ids_have_the_length_of_the_repositorys_format(pushes: Pushes, call: HookCall) -> None:
    await pushes.hooks.update(with_payload(call, object_format="sha256"), b"refs/heads/x", "0" * 64, "a" * 64)

    with pytest.raises(InvalidHookCall, match="expected length 64, got 40"):
        await pushes.hooks.update(with_payload(call, object_format="sha256"), b"refs/heads/x", ZERO, OID)


async def test_a_secondary_does_nothing(pushes: Pushes, rails: Rails, call: HookCall) -> None:
    for name in ("pre-receive", "update", "post-receive"):
        install(pushes.custom_hooks / name, "exit 1")
    secondary = with_payload(call, transaction=Transaction(node="b"))

    await pushes.hooks.pre_receive(secondary)
    await pushes.hooks.update(secondary, b"refs/heads/x", ZERO, OID)
    await pushes.hooks.post_receive(secondary)

    assert rails.requests == []


async def test_a_quarantine_of_the_repository_reaches_rails_and_the_hook(
    pushes: Pushes, rails: Rails, call: HookCall, printed: Collected
) -> None:
    install(
        pushes.custom_hooks / "pre-receive",
        'echo "$GIT_OBJECT_DIRECTORY $GIT_ALTERNATE_OBJECT_DIRECTORIES"; echo oops >&2',
    )
    repository = call.repository.model_copy(
        update={
            "git_object_directory": "../+gitaly/tmp/q",
            "git_alternate_object_directories": ("objects", "x"),
        }
    )

    await pushes.hooks.pre_receive(replace(with_payload(call, repository=repository), repository=repository))

    env = json.loads(rails.requests[0].body["env"])
    assert env["GIT_OBJECT_DIRECTORY_RELATIVE"] == "../+gitaly/tmp/q"
    assert env["GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE"] == ["objects", "x"]
    top = pushes.target.path
    storage = top.rpartition("/")[0]
    assert printed.stdout.decode() == f"{storage}/+gitaly/tmp/q {top}/objects:{top}/x\n"
    assert printed.stderr == b"oops\n"


async def test_a_refusal_carries_what_was_asked(pushes: Pushes, rails: Rails, call: HookCall) -> None:
    rails.answers["/allowed"] = Answer({"status": False, "message": "no"})

    with pytest.raises(NotAllowed) as caught:
        await pushes.hooks.pre_receive(call)

    error = caught.value
    assert (error.message, error.user_id, error.protocol, error.changes) == ("no", "user-3", "web", CHANGES)
    assert (str(error), error.rate_limited) == ("GitLab: no", False)


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/allowed", NotAllowed, "GitLab: rate limited"),
        (
            "/pre_receive",
            ApiFailed,
            "calling pre_receive endpoint: http post to gitlab api /pre_receive endpoint: rate limited",
        ),
    ],
)
async def test_a_rate_limit_can_be_told_from_other_failures(
    pushes: Pushes, rails: Rails, call: HookCall, path: str, kind: type[HookError], text: str
) -> None:
    rails.answers[path] = Answer({}, 429)

    with pytest.raises(kind) as caught:
        await pushes.hooks.pre_receive(call)

    assert (str(caught.value), caught.value.rate_limited) == (text, True)


async def test_a_pusher_of_unknown_form_is_not_allowed(pushes: Pushes, call: HookCall) -> None:
    with pytest.raises(NotAllowed) as caught:
        await pushes.hooks.pre_receive(with_user(userid="nobody")(call))

    assert str(caught.value) == 'GitLab: setting gl_id: gl_id="nobody" is invalid'


async def test_a_push_rails_does_not_count_is_declined_without_words(
    pushes: Pushes, rails: Rails, call: HookCall
) -> None:
    rails.answers["/pre_receive"] = Answer({"reference_counter_increased": False})

    with pytest.raises(Declined) as caught:
        await pushes.hooks.pre_receive(call)

    assert str(caught.value) == ""


@pytest.mark.parametrize(("hook", "script"), [("pre-receive", "exit 3"), ("post-receive", "kill -9 $$")])
async def test_a_failing_custom_hook_tells_path_and_status(
    pushes: Pushes, call: HookCall, hook: str, script: str
) -> None:
    path = install(pushes.custom_hooks / hook, script)
    run = pushes.hooks.pre_receive if hook == "pre-receive" else pushes.hooks.post_receive

    with pytest.raises(CustomHookFailed) as caught:
        await run(call)

    end, status = ("exit status 3", 3) if hook == "pre-receive" else ("signal: killed", -1)
    assert str(caught.value) == f'executing custom hooks: error executing "{path}": {end}'
    assert caught.value.exit_status == status


async def test_client_context_reaches_both_endpoints(pushes: Pushes, rails: Rails, call: HookCall) -> None:
    with_context = with_payload(call, gitaly_client_context=b"\x01")
    await pushes.hooks.pre_receive(with_context)
    await pushes.hooks.post_receive(with_context)

    for path in ("/allowed", "/post_receive"):
        assert rails.asked(path)[0].body["gitaly_client_context_bin"] == "AQ=="


async def test_only_hooks_with_work_are_needed(pushes: Pushes) -> None:
    assert pushes.hooks.needed(pushes.target.path) == Hook.PRE_RECEIVE | Hook.POST_RECEIVE

    install(pushes.custom_hooks / "update.d" / "x", "")

    assert pushes.hooks.needed(pushes.target.path) == Hook.PRE_RECEIVE | Hook.UPDATE | Hook.POST_RECEIVE
