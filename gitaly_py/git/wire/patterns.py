"""Which references a for-each-ref pattern selects (ref-blob.md 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from gitaly_py.git.wire.wildmatch import Wildmatch


class ReferencePatterns:
    """The union of several patterns; no pattern selects everything.

    A pattern selects names that it is a prefix of, up to a `/` or the end, and names that it matches
    as a glob. ignore_case concerns globs only, as in git.
    """

    def __init__(self, patterns: Sequence[bytes], *, ignore_case: bool = False) -> None:
        self._prefixes = [pattern for pattern in patterns if pattern]
        self._globs = [Wildmatch(each, path=True, ignore_case=ignore_case) for each in patterns]

    def matches(self, name: bytes) -> bool:
        """Whether the full reference name is selected."""
        if not self._globs:
            return True
        return any(_is_prefix(each, name) for each in self._prefixes) or any(
            glob.matches(name) for glob in self._globs
        )


def _is_prefix(pattern: bytes, name: bytes) -> bool:
    if not name.startswith(pattern):
        return False
    return pattern.endswith(b"/") or name[len(pattern) : len(pattern) + 1] in (b"", b"/")
