"""The parts of an expression that stand for characters: escapes and classes."""

from __future__ import annotations

from gitaly_py.services.regexp import errors
from gitaly_py.services.regexp.characters import (
    CATEGORIES,
    LAST,
    PERL,
    POSIX,
    CharacterSet,
    Part,
    Range,
)
from gitaly_py.services.regexp.errors import InvalidExpression

_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL = frozenset("01234567")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


class Scanner:
    """Reads an expression from left to right. at: where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def more(self) -> bool:
        """Whether something is left."""
        return self.at < len(self.text)

    def sees(self, text: str) -> bool:
        """Whether `text` comes next."""
        return self.text.startswith(text, self.at)

    def skip(self, text: str) -> bool:
        """Goes behind `text`; False if it does not come next."""
        if not self.sees(text):
            return False
        self.at += len(text)
        return True

    def take(self) -> str:
        """The next character, empty at the end."""
        char = self.text[self.at : self.at + 1]
        self.at += len(char)
        return char

    def since(self, begin: int) -> str:
        """What was read since `begin`."""
        return self.text[begin : self.at]

    def named_part(self, *, folded: bool) -> Part | None:
        r"""A class such as `\d` or `\pL`, if one comes next."""
        begin = self.at
        letter = self.text[begin + 1 : begin + 2]
        if not self.sees("\\") or not letter:
            return None
        if letter.lower() in PERL:
            self.at += 2
            return Part(PERL[letter.lower()], folded=folded, negated=letter.isupper())
        return self._unicode_part(folded) if letter in "pP" else None

    def _unicode_part(self, folded: bool) -> Part:
        begin = self.at
        negated = self.text[begin + 1] == "P"
        self.at += 2
        name = self.take()
        if name == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise InvalidExpression(errors.BAD_CLASS_NAME, self.text[begin:])
            name = self.text[self.at : end]
            self.at = end + 1
        if name.startswith("^"):
            negated = not negated
            name = name[1:]
        if name == "Any":
            return Part(((0, LAST),), negated=negated)
        if name not in CATEGORIES:
            raise InvalidExpression(errors.BAD_CLASS_NAME, self.since(begin))
        return Part(categories=CATEGORIES[name], folded=folded, negated=negated)

    def bracketed(self, *, folded: bool) -> CharacterSet:
        """A class in brackets, which come next. Raises InvalidExpression."""
        begin = self.at
        self.at += 1
        negated = self.skip("^")
        parts: list[Part] = []
        first = True
        while first or not self.sees("]"):
            first = False
            part = self._posix_part(folded) or self.named_part(folded=folded)
            parts.append(part or Part((self._range(begin),), folded=folded))
        self.at += 1
        return CharacterSet(tuple(parts), negated)

    def _posix_part(self, folded: bool) -> Part | None:
        end = self.text.find(":]", self.at + 2) if self.sees("[:") else -1
        if end < 0:
            return None
        begin = self.at
        self.at = end + 2
        name = self.text[begin + 2 : end]
        negated = name.startswith("^")
        ranges = POSIX.get(name.removeprefix("^"))
        if ranges is None:
            raise InvalidExpression(errors.BAD_CLASS_NAME, self.since(begin))
        return Part(ranges, folded=folded, negated=negated)

    def _range(self, class_begin: int) -> Range:
        begin = self.at
        first = last = self._class_character(class_begin)
        if self.sees("-") and self.text[self.at + 1 : self.at + 2] not in ("", "]"):
            self.at += 1
            last = self._class_character(class_begin)
        if last < first:
            raise InvalidExpression(errors.BAD_RANGE, self.since(begin))
        return first, last

    def _class_character(self, class_begin: int) -> int:
        if not self.more:
            raise InvalidExpression(errors.MISSING_BRACKET, self.text[class_begin:])
        return self.escaped() if self.sees("\\") else ord(self.take())

    def escaped(self) -> int:
        """The character that a backslash, which comes next, and what follows it stand for."""
        begin = self.at
        self.at += 1
        char = self.take()
        if not char:
            raise InvalidExpression(errors.TRAILING_BACKSLASH, "")
        if char in _CONTROL:
            return _CONTROL[char]
        if char.isascii() and not char.isalnum():
            return ord(char)
        code = self._hexadecimal() if char == "x" else self._octal(char)
        if code is None:
            raise InvalidExpression(errors.BAD_ESCAPE, self.since(begin))
        return code

    def _octal(self, digit: str) -> int | None:
        # A digit on its own would refer to a group, which there is no such thing for.
        if digit not in _OCTAL or (digit != "0" and self.text[self.at : self.at + 1] not in _OCTAL):
            return None
        digits = digit
        while len(digits) < 3 and self.text[self.at : self.at + 1] in _OCTAL:
            digits += self.take()
        return int(digits, 8)

    def _hexadecimal(self) -> int | None:
        digits = self.take()
        if digits != "{":
            digits += self.take()
            return int(digits, 16) if len(digits) == 2 and _HEXADECIMAL.issuperset(digits) else None
        code = None
        while (digit := self.take()) != "}":
            if digit not in _HEXADECIMAL:
                return None
            code = (code or 0) * 16 + int(digit, 16)
            if code > LAST:
                return None
        return code
