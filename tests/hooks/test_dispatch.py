"""Exit statuses and words of each hook (transport.md 8.2, 8.3)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gitaly_py.hooks.call import HookCall
from gitaly_py.hooks.dispatch import run_hook
from gitaly_py.hooks.payload import Hook, Payload
from tests.support.pushes import USER, Collected, Pushes, install
from tests.support.rails import Answer, Rails

ALL = Hook(63)
HIDDEN = b"error executing git hook\n"
OIDS = ["0" * 40, "a" * 40]


async def outcome(
    pushes: Pushes,
    hook: Hook,
    arguments: Sequence[str] = (),
    *,
    requested: Hook = ALL,
    stdin: bytes = b"x",
) -> tuple[int, bytes]:
    """Exit status and standard error."""
    printed = Collected()
    payload = Payload(repository=pushes.repository, user_details=USER, requested_hooks=requested)
    call = HookCall(
        payload=payload,
        repository=pushes.repository,
        path=pushes.target.path,
        output=printed.output,
        stdin=stdin,
    )
    return await run_hook(pushes.hooks, hook, arguments, call), bytes(printed.stderr)


async def test_a_hook_nobody_asked_for_does_nothing(pushes: Pushes, rails: Rails) -> None:
    assert await outcome(pushes, Hook.PRE_RECEIVE, requested=Hook.UPDATE) == (0, b"")
    assert rails.requests == []


@pytest.mark.parametrize("hook", [Hook.PRE_RECEIVE, Hook.POST_RECEIVE])
async def test_receive_hooks_say_why_they_fail(pushes: Pushes, hook: Hook) -> None:
    assert await outcome(pushes, hook, stdin=b"") == (1, b"hook got no reference updates")


async def test_long_texts_are_passed_on_whole(pushes: Pushes, rails: Rails) -> None:
    message = "ü" * 200_000
    rails.answers["/allowed"] = Answer({"status": False, "message": message})

    assert await outcome(pushes, Hook.PRE_RECEIVE) == (1, f"GitLab: {message}".encode())


@pytest.mark.parametrize(
    "arguments", [[], ["refs/heads/x", *OIDS, "more"], ["", *OIDS], ["refs/heads/x", "1", "2"]]
)
async def test_update_hides_why_it_fails(pushes: Pushes, arguments: list[str]) -> None:
    assert await outcome(pushes, Hook.UPDATE, arguments) == (1, HIDDEN)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 9", 9), ("kill -9 $$", 255)])
@pytest.mark.parametrize(
    ("hook", "arguments"),
    [(Hook.PRE_RECEIVE, []), (Hook.UPDATE, ["refs/heads/x", *OIDS]), (Hook.POST_RECEIVE, [])],
)
async def test_the_status_of_a_custom_hook_is_passed_on(
    pushes: Pushes, hook: Hook, arguments: list[str], script: str, status: int
) -> None:
    install(pushes.custom_hooks / hook.filename, script)

    assert await outcome(pushes, hook, arguments) == (status, b"")


@pytest.mark.parametrize("state", ["preparing", "prepared", "committed", "aborted"])
async def test_reference_transactions_are_never_stopped(pushes: Pushes, state: str) -> None:
    assert await outcome(pushes, Hook.REFERENCE_TRANSACTION, [state]) == (0, b"")


@pytest.mark.parametrize("arguments", [[], ["finished"], ["prepared", "twice"]])
async def test_an_unknown_state_of_a_reference_transaction_is_an_error(
    pushes: Pushes, arguments: list[str]
) -> None:
    assert await outcome(pushes, Hook.REFERENCE_TRANSACTION, arguments) == (1, HIDDEN)


async def test_proc_receive_is_refused(pushes: Pushes) -> None:
    assert await outcome(pushes, Hook.PROC_RECEIVE) == (1, HIDDEN)
