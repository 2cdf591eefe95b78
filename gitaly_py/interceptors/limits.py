"""Lets so many calls of an RPC run at a time for one repository (daemon.md 5.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Final

from gitaly_py.config.limits import Concurrency
from gitaly_py.limits.errors import LimitReached
from gitaly_py.limits.limiter import Slot
from gitaly_py.limits.making import Acquirable, Limiters
from gitaly_py.limits.report import Report
from gitaly_py.limits.sections import NAMELESS, PER_RPC, by_rpc, nameless
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.flags import header_of, is_enabled
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.steps import Step
from gitaly_py.telemetry import fields, metrics

_FLAG: Final = "limit_unauthenticated"
"""A caller may switch the limits of callers without a name off."""

SWITCH: Final = header_of(_FLAG)

_SYSTEM: Final = "gitaly"

_AUTHENTICATED: Final = "limit.authenticated"


class RpcLimits:
    """The limiters of `[[concurrency]]`; of several entries for an RPC the last one counts."""

    def __init__(self, entries: Sequence[Concurrency], limiters: Limiters) -> None:
        self._entries = by_rpc(entries)
        self._limiters = limiters

    def of(self, method: Method) -> Step | None:
        """The step that limits a method, None for one without a limit."""
        entry = self._entries.get(method.path)
        if entry is None:
            return None
        name = PER_RPC + method.path
        named = self._limiters.make(name, entry, _report(method, authenticated=True))
        others = named
        if nameless(entry) is not entry:
            report = _report(method, authenticated=False)
            others = self._limiters.make(name + NAMELESS, nameless(entry), report)
        return None if named is others is None else Limited(named, others)


class Limited(Step):
    """Holds a slot while a call runs. Calls without a repository are not limited.

    named, nameless: the limiters of callers with and without a user name, None where there is none.
    """

    def __init__(self, named: Acquirable | None, nameless: Acquirable | None) -> None:
        self._named = named
        self._nameless = nameless
        self._slots: dict[Call[Any, Any], Slot] = {}

    def enter(self, call: Call[Any, Any]) -> Awaitable[Slot] | None:
        """See Step. Most calls find a slot free, and those never wait."""
        authenticated = is_authenticated(call)
        limiter = self._named if authenticated else self._nameless
        key = "" if call.target is None else call.target.relative_path
        if limiter is None or not key:
            return None
        try:
            given = limiter.request(key, call.deadline)
        except LimitReached:
            _tell(authenticated)
            raise
        if isinstance(given, Slot):
            self._slots[call] = given
            return None
        _tell(authenticated)
        return given

    def entered(self, call: Call[Any, Any], awaited: Slot) -> None:
        """See Step."""
        self._slots[call] = awaited
        fields.take_back(_AUTHENTICATED)

    def leave(self, call: Call[Any, Any]) -> None:
        """See Step."""
        slot = self._slots.pop(call, None)
        if slot is not None:
            slot.release()


def _tell(authenticated: bool) -> None:
    """Of a call that gets no slot, or perhaps none."""
    fields.put(_AUTHENTICATED, "true" if authenticated else "false")


def is_authenticated(call: Call[Any, Any]) -> bool:
    """Whether a call has a user's name, be it an empty one, or is not told apart from those that have."""
    if "username" in call.metadata:
        return True
    return not is_enabled(call.metadata, _FLAG)


def _report(method: Method, *, authenticated: bool) -> Report:
    labels = (_SYSTEM, method.service, method.name)
    caller = "true" if authenticated else "false"
    return Report(
        "per-rpc",
        queued=metrics.concurrency_limiting_queued.labels(*labels),
        in_progress=metrics.concurrency_limiting_in_progress.labels(*labels),
        seconds=metrics.concurrency_limiting_acquiring_seconds.labels(*labels),
        dropped=lambda reason: metrics.requests_dropped.labels(*labels, reason, caller).inc(),
    )
