"""Whether an expression matches somewhere in a text, in one step for each of its characters.

States are sets of places in the program. They are made when a text first leads to them; from then on a
character costs a look into a dictionary.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from gitaly_py.services.regexp.parsing import parse
from gitaly_py.services.regexp.program import Code, Condition, Demand, Instruction, Take

_MOST_STATES = 4096
"""States that are kept between texts."""

_NO_CHARACTER = 0xFFFD
"""What bytes that are no UTF-8 are taken for, each by itself."""


class _Kind(enum.Enum):
    """What is on one side of a place in a text."""

    EDGE = enum.auto()
    NEWLINE = enum.auto()
    WORD = enum.auto()
    OTHER = enum.auto()


class Expression:
    """A regular expression. Matching changes it, so that only one thread may use it at a time."""

    def __init__(self, text: str) -> None:
        """Raises InvalidExpression."""
        parsed = parse(text)
        # No other character's bytes are those, wherever one looks; but they may stand for what is none.
        exact = chr(_NO_CHARACTER) not in parsed.required and not _has_surrogates(parsed.required)
        self._required = parsed.required.encode() if exact else b""
        self._literal = parsed.literal and exact
        self._at_begin = parsed.at_begin
        self._at_end = parsed.at_end
        self._machine = _Machine(parsed.code)

    @property
    def is_literal(self) -> bool:
        """Whether it only stands for one text, which takes next to no time to be looked for."""
        return self._literal

    def matching(self, texts: Iterable[bytes]) -> list[bytes]:
        """Those of the texts that it matches in some place."""
        required = self._required
        if self._literal:
            return self._with_literal(required, texts)
        matches = self._machine.matches
        return [
            text for text in texts if required in text and matches(text.decode("utf-8", "surrogateescape"))
        ]

    def _with_literal(self, literal: bytes, texts: Iterable[bytes]) -> list[bytes]:
        match self._at_begin, self._at_end:
            case True, True:
                return [text for text in texts if text == literal]
            case True, False:
                return [text for text in texts if text.startswith(literal)]
            case False, True:
                return [text for text in texts if text.endswith(literal)]
            case _:
                return [text for text in texts if literal in text]


def _has_surrogates(text: str) -> bool:
    return any(0xD800 <= ord(char) <= 0xDFFF for char in text)


class _Machine:
    """The states of one program. end: the place behind its last instruction."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self.end = len(code)
        self._looks_around = any(isinstance(instruction, Demand) for instruction in code)
        self._states: dict[tuple[frozenset[int], _Kind], _State] = {}
        self.matched = _Matched(self, frozenset(), _Kind.OTHER)

    def matches(self, text: str) -> bool:
        if len(self._states) > _MOST_STATES:
            self._states = {}
        state = self.state(frozenset(), _Kind.EDGE)
        for char in text:
            state = state[char]
        return state.matches_at_end()

    def state(self, places: frozenset[int], before: _Kind) -> _State:
        key = (places, before if self._looks_around else _Kind.OTHER)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(self, *key)
        return state

    def taken(self, places: Iterable[int], code: int) -> frozenset[int]:
        """Where one gets from `places` with this character, code point `code`."""
        return frozenset(place + 1 for place in places if self._takes(self._code[place], code))

    @staticmethod
    def _takes(instruction: Instruction, code: int) -> bool:
        return isinstance(instruction, Take) and code in instruction.characters

    def reached(self, places: Iterable[int], before: _Kind, after: _Kind) -> set[int]:
        """Where one gets from `places`, and from the start, without a character."""
        seen = {0, *places}
        pending = list(seen)
        while pending:
            place = pending.pop()
            instruction = self._code[place] if place < self.end else None
            if isinstance(instruction, Take) or instruction is None:
                continue
            if isinstance(instruction, Demand):
                targets = [place + 1] if _holds(instruction.condition, before, after) else []
            else:
                targets = [place + distance for distance in instruction.distances]
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    pending.append(target)
        return seen


class _State(dict[str, "_State"]):
    """Leads from a character to the next state.

    places: where the text so far has led to, the start of another match left out. before: the last character.
    """

    __slots__ = ("_before", "_machine", "_matches_at_end", "_places")

    def __init__(self, machine: _Machine, places: frozenset[int], before: _Kind) -> None:
        super().__init__()
        self._machine = machine
        self._places = places
        self._before = before
        self._matches_at_end: bool | None = None

    def matches_at_end(self) -> bool:
        """Whether the text that ends here has a match."""
        if self._matches_at_end is None:
            self._matches_at_end = self._machine.end in self._reached(_Kind.EDGE)
        return self._matches_at_end

    def __missing__(self, char: str) -> _State:
        code = ord(char) if not 0xD800 <= ord(char) <= 0xDFFF else _NO_CHARACTER
        kind = _kind(char)
        reached = self._reached(kind)
        if self._machine.end in reached:
            following: _State = self._machine.matched
        else:
            following = self._machine.state(self._machine.taken(reached, code), kind)
        self[char] = following
        return following

    def _reached(self, after: _Kind) -> set[int]:
        return self._machine.reached(self._places, self._before, after)


class _Matched(_State):
    """Behind a match, whatever follows."""

    def matches_at_end(self) -> bool:
        return True

    def __missing__(self, char: str) -> _State:
        self[char] = self
        return self


def _kind(char: str) -> _Kind:
    if char == "\n":
        return _Kind.NEWLINE
    return _Kind.WORD if char.isascii() and (char.isalnum() or char == "_") else _Kind.OTHER


def _holds(condition: Condition, before: _Kind, after: _Kind) -> bool:
    match condition:
        case Condition.BEGIN_TEXT:
            return before is _Kind.EDGE
        case Condition.END_TEXT:
            return after is _Kind.EDGE
        case Condition.BEGIN_LINE:
            return before in (_Kind.EDGE, _Kind.NEWLINE)
        case Condition.END_LINE:
            return after in (_Kind.EDGE, _Kind.NEWLINE)
        case Condition.WORD_BOUNDARY:
            return (before is _Kind.WORD) != (after is _Kind.WORD)
        case Condition.NO_WORD_BOUNDARY:
            return (before is _Kind.WORD) == (after is _Kind.WORD)
