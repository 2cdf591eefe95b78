"""What one run of a hook is given, whoever runs it: git, an RPC, or the daemon itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gitaly_py.hooks.payload import HookRepository, Payload

Writer = Callable[[bytes], Awaitable[None]]


class Output(NamedTuple):
    """Where the hook's two streams go."""

    stdout: Writer
    stderr: Writer


@dataclass(frozen=True, kw_only=True)
class HookCall:
    """One run of a hook.

    payload: what the push was prepared with. repository: as the caller names it, with its quarantine if it
    has one. path: absolute path of the repository. environment: of the process git started, or empty.
    stdin: a line `<old> <new> <reference>` an update.
    """

    payload: Payload
    repository: HookRepository
    path: str
    output: Output
    environment: Mapping[str, str] = field(default_factory=dict)
    push_options: Sequence[str] = ()
    stdin: bytes = b""
