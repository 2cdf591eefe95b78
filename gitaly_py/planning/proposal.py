"""The limits that are tried: those of a configuration, and changes to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gitaly_py.config import Config, Duration
from gitaly_py.config.limits import Concurrency, Limit, PackObjectsLimiting
from gitaly_py.limits.sections import NAMELESS, PACK_OBJECTS, PER_RPC, by_rpc, named_limits
from gitaly_py.limits.simulation.simulator import Gate
from gitaly_py.planning.errors import PlanningError
from gitaly_py.planning.requests import Request
from gitaly_py.rpc.methods import all_methods

Adaptive: TypeAlias = Literal["initial", "min", "max"]
"""Which limit of an adaptive one is tried."""


@dataclass(frozen=True)
class Proposal:
    """limits: the settings of each limiter, by its name, without adaptive ones: those stand still.

    adaptive: names of those that would not stand still in a daemon. choice: which limit they have here.
    """

    limits: Mapping[str, Limit]
    adaptive: Sequence[str]
    choice: Adaptive

    def gates(self, request: Request, *, in_scope: bool) -> list[Gate]:
        """The limiters that a call meets, in this order.

        in_scope: whether the limiter of its RPC is to be watched even if there is none any more.
        """
        gates = []
        name = PER_RPC + request.rpc
        if request.repository and (in_scope or name in self.limits):
            gates.append((self._name(name, request.named), request.repository))
        if request.client:
            gates.append((self._name(PACK_OBJECTS, request.named), request.client))
        return gates

    def _name(self, name: str, named: bool) -> str:
        nameless = name + NAMELESS
        return nameless if not named and nameless in self.limits else name


def proposal(config: Config, changes: Sequence[WhatIf], adaptive: Adaptive) -> Proposal:
    """What `config` asks for, with some of it changed. Raises PlanningError."""
    sections: dict[str, Concurrency | PackObjectsLimiting] = {
        **{PER_RPC + rpc: section for rpc, section in by_rpc(config.concurrency).items()},
        PACK_OBJECTS: config.pack_objects_limiting,
    }
    for change in changes:
        sections[change.name] = change.applied(sections.get(change.name))
    limits = {
        name: limit
        for section_name, section in sections.items()
        for name, limit in named_limits(section_name, section)
    }
    return Proposal(
        limits={name: _still(limit, adaptive) for name, limit in limits.items()},
        adaptive=[name for name, limit in limits.items() if limit.adaptive],
        choice=adaptive,
    )


@dataclass(frozen=True)
class WhatIf:
    """A change of one limiter. name: of the limiter. queue_size, queue_wait: None leaves what was there."""

    name: str
    max_concurrency: int
    queue_size: int | None = None
    queue_wait: Duration | None = None

    def applied(self, section: Concurrency | PackObjectsLimiting | None) -> Concurrency | PackObjectsLimiting:
        """`section`, or a new one, with this change; not adaptive any more."""
        if section is None:
            section = Concurrency(rpc=self.name.removeprefix(PER_RPC))
        changed: dict[str, object] = {"max_concurrency": self.max_concurrency, "max_per_repo": 0}
        if self.queue_size is not None:
            changed["max_queue_size"] = self.queue_size
        if self.queue_wait is not None:
            changed["max_queue_wait"] = self.queue_wait
        return section.model_copy(update={**changed, "adaptive": False})


def what_if(text: str) -> WhatIf:
    """The change that `RPC=max_concurrency[,max_queue_size[,max_queue_wait]]` asks for; raises PlanningError.

    RPC: a full method, the end of one that no other has, or PACK_OBJECTS.
    """
    name, has_values, values = text.partition("=")
    parts = values.split(",")
    if not has_values or len(parts) > 3:
        raise PlanningError(f'"{text}": not RPC=max_concurrency[,max_queue_size[,max_queue_wait]]')
    try:
        concurrency, *rest = map(_count, parts[:2])
        wait = _duration(parts[2]) if len(parts) == 3 else None
    except ValueError as error:
        raise PlanningError(f'"{text}": {error}') from error
    return WhatIf(_limiter_name(name), concurrency, rest[0] if rest else None, wait)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'"{text}" is no number of calls')
    return int(text)


def _duration(text: str) -> Duration:
    duration = Duration.parse(text)
    if duration < 0:
        raise ValueError(f'"{text}" is less than no time')
    return duration


def _limiter_name(text: str) -> str:
    if text == PACK_OBJECTS:
        return text
    found = [method.path for method in all_methods() if method.path.endswith("/" + text.removeprefix("/"))]
    if len(found) != 1:
        raise PlanningError(f'"{text}": {"several RPCs end so" if found else "no such RPC"}')
    return PER_RPC + found[0]


def _still(limit: Limit, adaptive: Adaptive) -> Limit:
    """A limit that does not adapt, as it is at that end of its range."""
    if not limit.adaptive:
        return limit
    chosen = {"initial": limit.initial_limit, "min": limit.min_limit, "max": limit.max_limit}[adaptive]
    return limit.model_copy(update={"adaptive": False, "max_concurrency": chosen, "max_per_repo": 0})
