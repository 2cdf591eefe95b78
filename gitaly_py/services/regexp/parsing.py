"""From the text of an expression to its program. Nesting costs no stack: no expression exhausts it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from gitaly_py.services.regexp import errors
from gitaly_py.services.regexp.characters import ANY, ANY_IN_LINE, CharacterSet, one
from gitaly_py.services.regexp.errors import InvalidExpression
from gitaly_py.services.regexp.program import (
    Code,
    Condition,
    Demand,
    Take,
    alternation,
    concatenation,
    repetition,
)
from gitaly_py.services.regexp.scanning import Scanner

MOST_INSTRUCTIONS = 10_000
"""Of a program; each character that is matched may cost as many steps."""

_MOST_REPEATS = 1000
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNTED = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}", re.ASCII)
_GROUP_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_CONDITIONS = {"A": Condition.BEGIN_TEXT, "z": Condition.END_TEXT}
_CONDITIONS |= {"b": Condition.WORD_BOUNDARY, "B": Condition.NO_WORD_BOUNDARY}


class Flags(NamedTuple):
    """What `(?ims)` switches on. Laziness, `U`, makes no difference."""

    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


class Parsed(NamedTuple):
    """A program and what speeds it up.

    required: a text that is in whatever matches, as long as was easy to find. literal: that text is all, with
    what matches beginning with it if `at_begin`, and ending with it if `at_end`.
    """

    code: Code
    required: str
    literal: bool
    at_begin: bool = False
    at_end: bool = False


class _Piece(NamedTuple):
    """repeats: how often its innermost part may have to repeat; literal: the one character it stands for."""

    code: Code
    repeats: int = 1
    literal: str = ""


_BEGIN = _Piece((Demand(Condition.BEGIN_TEXT),))
_END = _Piece((Demand(Condition.END_TEXT),))


@dataclass
class _Group:
    """Between parentheses, or the whole. outer: the flags behind it."""

    outer: Flags
    pieces: list[_Piece] = field(default_factory=list)
    branches: list[_Piece] = field(default_factory=list)

    def end_branch(self) -> None:
        """What comes next is an alternative."""
        code = concatenation(piece.code for piece in self.pieces)
        self.branches.append(_Piece(code, max((piece.repeats for piece in self.pieces), default=1)))
        self.pieces = []

    def whole(self) -> _Piece:
        """All alternatives."""
        self.end_branch()
        code = alternation([branch.code for branch in self.branches])
        return _Piece(code, max(branch.repeats for branch in self.branches))


def parse(text: str) -> Parsed:
    """The program of an expression. Raises InvalidExpression."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._flags = Flags()
        self._groups = [_Group(self._flags)]
        self._repetition: int | None = None  # where the operator that has just been read begins

    def parse(self) -> Parsed:
        scanner = self._scanner
        while scanner.more:
            repetition, self._repetition = self._repetition, None
            begin = scanner.at
            char = scanner.take()
            if char in _REPEATS:
                self._repeat(*_REPEATS[char], begin, repetition)
            elif char == "{" and (counted := _COUNTED.match(scanner.text, begin)):
                scanner.at = counted.end()
                self._repeat(*self._counts(counted), begin, repetition)
            else:
                self._other(char, begin)
        if len(self._groups) > 1:
            raise InvalidExpression(errors.MISSING_PARENTHESIS, scanner.text)
        return self._parsed(self._groups[0])

    def _other(self, char: str, begin: int) -> None:
        match char:
            case "(":
                self._open(begin)
            case ")":
                self._close()
            case "|":
                self._group.end_branch()
            case "^":
                self._demand(Condition.BEGIN_LINE if self._flags.m else Condition.BEGIN_TEXT)
            case "$":
                self._demand(Condition.END_LINE if self._flags.m else Condition.END_TEXT)
            case ".":
                self._take(ANY if self._flags.s else ANY_IN_LINE)
            case "[":
                self._scanner.at = begin
                self._take(self._scanner.bracketed(folded=self._flags.i))
            case "\\":
                self._scanner.at = begin
                self._backslash()
            case _:
                self._literal(ord(char))

    @property
    def _group(self) -> _Group:
        return self._groups[-1]

    def _add(self, piece: _Piece) -> None:
        self._group.pieces.append(piece)

    def _take(self, characters: CharacterSet) -> None:
        self._add(_Piece((Take(characters),)))

    def _demand(self, condition: Condition) -> None:
        self._add(_Piece((Demand(condition),)))

    def _literal(self, code: int) -> None:
        folded = self._flags.i
        self._add(_Piece((Take(one(code, folded=folded)),), literal="" if folded else chr(code)))

    def _backslash(self) -> None:
        scanner = self._scanner
        letter = scanner.text[scanner.at + 1 : scanner.at + 2]
        if letter in _CONDITIONS:
            scanner.at += 2
            self._demand(_CONDITIONS[letter])
        elif scanner.skip("\\Q"):
            end = scanner.text.find("\\E", scanner.at)
            quoted = scanner.text[scanner.at : end if end >= 0 else None]
            scanner.at = end + 2 if end >= 0 else len(scanner.text)
            for char in quoted:
                self._literal(ord(char))
        elif part := scanner.named_part(folded=self._flags.i):
            self._take(CharacterSet((part,)))
        else:
            self._literal(scanner.escaped())

    def _repeat(self, least: int, most: int | None, begin: int, before: int | None) -> None:
        """before: where an operator begins that stands right before this one."""
        self._scanner.skip("?")
        if before is not None:
            raise InvalidExpression(errors.BAD_NESTED_REPETITION, self._scanner.since(before))
        if not self._group.pieces:
            raise InvalidExpression(errors.NOTHING_TO_REPEAT, self._scanner.since(begin))
        piece = self._group.pieces.pop()
        counted = self._scanner.text[begin] == "{"
        repeats = piece.repeats
        if counted:
            times = least if most is None else most
            repeats = repeats * times if times else 1
            if times >= 2 and repeats > _MOST_REPEATS:
                raise InvalidExpression(errors.BAD_REPEAT_COUNT, self._scanner.since(begin))
        self._check_size((len(piece.code) + 1) * max(least, most or 0, 1))
        self._add(_Piece(repetition(piece.code, least, most), repeats))
        self._repetition = begin

    def _check_size(self, size: int) -> None:
        present = sum(len(piece.code) for group in self._groups for piece in (*group.branches, *group.pieces))
        if present + size > MOST_INSTRUCTIONS:
            raise InvalidExpression(errors.TOO_LARGE, self._scanner.text)

    def _counts(self, counted: re.Match[str]) -> tuple[int, int | None]:
        least = int(counted[1])
        most = least if counted[2] is None else int(counted[3]) if counted[3] else None
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and least > most):
            raise InvalidExpression(errors.BAD_REPEAT_COUNT, counted[0])
        return least, most

    def _open(self, begin: int) -> None:
        scanner = self._scanner
        outer = self._flags
        if scanner.sees("?P<") or scanner.sees("?<"):
            self._group_name(begin)
        elif scanner.skip("?"):
            flags, opened = self._read_flags(begin)
            self._flags = flags
            if not opened:
                return
        self._groups.append(_Group(outer))

    def _group_name(self, begin: int) -> None:
        scanner = self._scanner
        at = scanner.text.index("<", begin) + 1
        end = scanner.text.find(">", at)
        if end < 0:
            raise InvalidExpression(errors.BAD_GROUP_NAME, scanner.text[begin:])
        scanner.at = end + 1
        if not _GROUP_NAME.fullmatch(scanner.text, at, end):
            raise InvalidExpression(errors.BAD_GROUP_NAME, scanner.since(begin))

    def _read_flags(self, begin: int) -> tuple[Flags, bool]:
        """The flags up to the end of `(?ims-U)` or `(?ims-U:`, and whether it is a group that they begin."""
        flags = self._flags._asdict()
        on, some = True, True
        while char := self._scanner.take():
            if char in flags:
                flags[char] = on
                some = True
            elif char == "-" and on:
                on = some = False
            elif char in ":)" and some:
                return Flags(**flags), char == ":"
            else:
                break
        raise InvalidExpression(errors.BAD_PERL_SYNTAX, self._scanner.since(begin))

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise InvalidExpression(errors.UNEXPECTED_PARENTHESIS, self._scanner.text)
        group = self._groups.pop()
        self._flags = group.outer
        self._add(group.whole())

    def _parsed(self, group: _Group) -> Parsed:
        pieces, alone = group.pieces, not group.branches
        code = group.whole().code
        if len(code) > MOST_INSTRUCTIONS:
            raise InvalidExpression(errors.TOO_LARGE, self._scanner.text)
        if not alone:
            return Parsed(code, "", literal=False)
        required = _longest_literal(pieces)
        at_begin = pieces[:1] == [_BEGIN]
        at_end = pieces[-1:] == [_END]
        literal = len(required) == len(pieces) - at_begin - at_end
        return Parsed(code, required, literal, at_begin, at_end)


def _longest_literal(pieces: list[_Piece]) -> str:
    """The longest run of single characters."""
    runs = [""]
    for piece in pieces:
        if piece.literal:
            runs[-1] += piece.literal
        elif runs[-1]:
            runs.append("")
    return max(runs, key=len)
