"""Why a text is no regular expression, in the words that clients know (repository.md, SearchFilesByName)."""

from __future__ import annotations

BAD_CLASS_NAME = "invalid character class range"
BAD_ESCAPE = "invalid escape sequence"
BAD_GROUP_NAME = "invalid named capture"
BAD_NESTED_REPETITION = "invalid nested repetition operator"
BAD_PERL_SYNTAX = "invalid or unsupported Perl syntax"
BAD_RANGE = "invalid character class range"
BAD_REPEAT_COUNT = "invalid repeat count"
MISSING_BRACKET = "missing closing ]"
MISSING_PARENTHESIS = "missing closing )"
NOTHING_TO_REPEAT = "missing argument to repetition operator"
TOO_LARGE = "expression too large"
TRAILING_BACKSLASH = "trailing backslash at end of expression"
UNEXPECTED_PARENTHESIS = "unexpected )"


class InvalidExpression(ValueError):
    """`reason` is one of the texts above, `part` what of the expression it is about."""

    def __init__(self, reason: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {reason}: `{part}`")
        self.reason = reason
        self.part = part
