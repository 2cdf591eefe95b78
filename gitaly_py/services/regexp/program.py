"""What an expression becomes: instructions that may be copied anywhere, since they refer to one another
by distance.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from gitaly_py.services.regexp.characters import CharacterSet


class Condition(enum.Enum):
    """What must hold between two characters."""

    BEGIN_TEXT = enum.auto()
    END_TEXT = enum.auto()
    BEGIN_LINE = enum.auto()
    END_LINE = enum.auto()
    WORD_BOUNDARY = enum.auto()
    NO_WORD_BOUNDARY = enum.auto()


class Take(NamedTuple):
    """Goes on behind a character of the set."""

    characters: CharacterSet


class Demand(NamedTuple):
    """Goes on where the condition holds."""

    condition: Condition


class Fork(NamedTuple):
    """Goes on at each of these distances."""

    distances: tuple[int, ...]


Instruction: TypeAlias = Take | Demand | Fork
Code: TypeAlias = tuple[Instruction, ...]
"""Instructions from the first on; behind the last one the expression has matched."""


def alternation(branches: Sequence[Code]) -> Code:
    """Any of the branches."""
    if len(branches) == 1:
        return branches[0]
    sizes = [len(branch) + 1 for branch in branches]
    starts = [1 + sum(sizes[:number]) for number in range(len(branches))]
    end = 1 + sum(sizes)
    code: list[Instruction] = [Fork(tuple(starts))]
    for branch in branches:
        code += branch
        code.append(Fork((end - len(code),)))
    return tuple(code)


def concatenation(pieces: Iterable[Code]) -> Code:
    """All of the pieces, one after the other."""
    return tuple(instruction for piece in pieces for instruction in piece)


def repetition(code: Code, least: int, most: int | None) -> Code:
    """`code` from `least` to `most` times in a row, any number of times when that is None."""
    size = len(code)
    if most is not None:
        return code * least + (Fork((1, size + 1)), *code) * (most - least)
    if least == 0:
        return (Fork((1, size + 2)), *code, Fork((-size - 1,)))
    return code * (least - 1) + (*code, Fork((-size, 1)))
