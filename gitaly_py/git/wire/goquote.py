"""Go's `%q`: error texts of the API quote values this way."""

from __future__ import annotations

import unicodedata

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}


def quote(value: str | bytes) -> str:
    """`value` in double quotes, with the escapes of Go's strconv.Quote.

    Bytes that are no UTF-8 become `\\xNN`; so do the lone surrogates that Python uses for them in a str.
    """
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return '"' + "".join('\\"' if char == '"' else _escaped(char) for char in text) + '"'


def quote_rune(char: str) -> str:
    """One character in single quotes, as Go's strconv.QuoteRune."""
    return "'\\''" if char == "'" else f"'{_escaped(char)}'"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if _is_printable(char):
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_printable(char: str) -> bool:
    """Letters, marks, numbers, punctuation, symbols and the ASCII space, as Go's unicode.IsPrint."""
    return char == " " or unicodedata.category(char)[0] in "LMNPS"
