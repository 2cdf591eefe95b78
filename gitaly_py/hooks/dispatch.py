"""From a hook's name to its work, and from how that ended to an exit status (transport.md 8.2, 8.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import structlog

from gitaly_py.hooks.call import HookCall
from gitaly_py.hooks.errors import CustomHookFailed, HookError, InvalidHookCall
from gitaly_py.hooks.payload import Hook
from gitaly_py.hooks.program.hook import FAILURE
from gitaly_py.hooks.receive import ReceiveHooks

_TRANSACTION_STATES = ("preparing", "prepared", "committed", "aborted")

_log = structlog.get_logger("gitaly")


async def run_hook(hooks: ReceiveHooks, hook: Hook, arguments: Sequence[str], call: HookCall) -> int:
    """Does what git wants of `hook`; the exit status of the process git started.

    A refusal goes to the call's standard error, where the user reads it.
    """
    if hook not in call.payload.requested_hooks:
        return 0
    try:
        await _run(hooks, hook, arguments, call)
    except CustomHookFailed as error:
        return error.exit_status & 0xFF
    except HookError as error:
        await call.output.stderr(_text_for_user(hook, error))
        return 1
    return 0


async def _run(hooks: ReceiveHooks, hook: Hook, arguments: Sequence[str], call: HookCall) -> None:
    if hook is Hook.PRE_RECEIVE:
        await hooks.pre_receive(call)
    elif hook is Hook.POST_RECEIVE:
        await hooks.post_receive(call)
    elif hook is Hook.UPDATE:
        if len(arguments) != 3:
            raise InvalidHookCall(f"update hook expects 3 arguments, got {len(arguments)}")
        reference, old, new = arguments
        await hooks.update(call, os.fsencode(reference), old, new)
    elif hook is Hook.REFERENCE_TRANSACTION:
        # Other nodes would vote here; a single one agrees with itself.
        if list(arguments) not in [[state] for state in _TRANSACTION_STATES]:
            raise InvalidHookCall("invalid hook state")
    else:
        # A push waits for this hook only where a write-ahead log collects its references first.
        raise InvalidHookCall("creating handler: no transaction found in payload")


def _text_for_user(hook: Hook, error: HookError) -> bytes:
    """Where the RPC would fail instead of answering, the reference's hook keeps the reason to itself."""
    hidden = error.rate_limited if hook is Hook.PRE_RECEIVE else hook is not Hook.POST_RECEIVE
    if not hidden:
        return str(error).encode("utf-8", "surrogateescape")
    _log.error("error executing git hook", hook=hook.filename, error=str(error))
    return FAILURE
