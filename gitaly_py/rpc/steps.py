"""What happens around every handler: reporters and steps.

A reporter sees a call from its very beginning to its very end, whatever becomes of it. A step
surrounds the handler, may refuse the call by raising, and sees the exception on the way out.
Both are small classes with one instance a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from gitaly_py.rpc.call import Call
from gitaly_py.rpc.methods import Method


class Reporter(Protocol):
    """Made when a call begins; `end` is called once, when `call.status` is final."""

    def end(self) -> None: ...


class ReporterFactory(Protocol):
    def __call__(self, call: Call[Any, Any], /) -> Reporter: ...


class Step(Protocol):
    """An asynchronous context manager around the rest of the call."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class StepFactory(Protocol):
    def __call__(self, call: Call[Any, Any], /) -> Step: ...


@dataclass(frozen=True)
class Steps:
    """The order of everything around a handler, outermost first.

    admission: before anything of the request is read; handling: of a method, once the first message is there.
    """

    reporters: tuple[ReporterFactory, ...] = ()
    admission: tuple[StepFactory, ...] = ()
    handling: Callable[[Method], tuple[StepFactory, ...]] = lambda _: ()


class Within:
    """Enters steps in order and leaves them in reverse, also when one of them refuses the call."""

    __slots__ = ("_call", "_entered", "_factories")

    def __init__(self, factories: Sequence[StepFactory], call: Call[Any, Any]) -> None:
        self._factories = factories
        self._call = call
        self._entered: list[Step] = []

    async def __aenter__(self) -> None:
        for factory in self._factories:
            step = factory(self._call)
            try:
                await step.__aenter__()
            except BaseException as error:
                await self.__aexit__(type(error), error, error.__traceback__)
                raise
            self._entered.append(step)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._entered:
            await self._entered.pop().__aexit__(kind, error, trace)
