"""How attributes go to the detecting child and verdicts come back."""

from __future__ import annotations

from gitaly_py.detection.rules.attributes import Attributes

CONTENT_NEEDED = b"\0"
"""The verdict on a path that does not tell; others are the language, or empty for what does not count."""

_STATES = {None: b"-", True: b"s", False: b"u"}
_MEANINGS = {value[0]: key for key, value in _STATES.items()}


def packed(attributes: Attributes) -> bytes:
    """Attributes as bytes."""
    states = (attributes.documentation, attributes.vendored, attributes.generated, attributes.detectable)
    language = b"" if attributes.language is None else b"=" + _encoded(attributes.language)
    return b"".join(_STATES[state] for state in states) + language


def unpacked(data: bytes) -> Attributes:
    """What `packed` had."""
    documentation, vendored, generated, detectable = (_MEANINGS[state] for state in data[:4])
    language = None if len(data) == 4 else data[5:].decode("utf-8", "surrogateescape")
    return Attributes(documentation, vendored, generated, detectable, language)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
