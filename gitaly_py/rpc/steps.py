"""What happens around every handler: reporters, gates and steps.

All of them are shared by the calls of a daemon, or of a method: what a call needs kept is kept by the call,
or under it. A call that waits in line is small so, and one that need not wait begins no coroutine for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method


class Reporter(Protocol):
    """Sees a call from its very beginning to its very end, whatever becomes of it."""

    def begin(self, call: Call[Any, Any], /) -> None: ...

    def end(self, call: Call[Any, Any], /) -> None:
        """Once, when `call.status` is final."""


Gate = Callable[[Call[Any, Any]], None]
"""Looks at a call before anything of its request is read, and refuses it by raising."""


class Step:
    """Surrounds the handler of a call; this one does nothing."""

    def enter(self, call: Call[Any, Any], /) -> Awaitable[Any] | None:  # noqa: ARG002 - for those that do
        """Before what it surrounds, which waits for what is returned. Either may raise to refuse the call."""
        return None

    def entered(self, call: Call[Any, Any], awaited: Any, /) -> None:
        """What was returned has been waited for. A coroutine less is kept of each call in line."""

    def leave(self, call: Call[Any, Any], /) -> None:
        """After what it surrounds, however that ended; not for a call that it refused."""


@dataclass(frozen=True)
class Steps:
    """The order of everything around a handler, outermost first.

    handling: of a method, once the first message is there.
    """

    reporters: tuple[Reporter, ...] = ()
    gates: tuple[Gate, ...] = ()
    handling: Callable[[Method], tuple[Step, ...]] = lambda _: ()
