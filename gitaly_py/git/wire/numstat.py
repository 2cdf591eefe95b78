"""What `git diff --numstat -z` prints (diff-conflicts.md 5)."""

from __future__ import annotations

from gitaly_py.git.wire.errors import MalformedStats

FileStats = tuple[bytes, bytes, bytes, bytes]
"""Lines added to a file and removed from it, in digits (`-` for a binary one), its path, and the old path of
a rename, else nothing."""


class NumStat:
    """Parses the output, cut at NUL, in batches of any size."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, fields: list[bytes]) -> list[FileStats]:
        """The files whose records end within these fields. Raises MalformedStats."""
        left = iter(self._rest + fields if self._rest else fields)
        begun: list[bytes] = []
        files: list[FileStats] = []
        try:
            for field in left:
                added, removed, path = field.split(b"\t", 2)
                old_path = b""
                if not path:
                    begun = [field]
                    begun.append(old_path := next(left))
                    path = next(left)
                    begun = []
                files.append((added, removed, path, old_path))
        except StopIteration:
            pass
        except ValueError:
            raise MalformedStats(field) from None
        self._rest = begun
        return files

    def end(self) -> None:
        """There are no more fields. Raises MalformedStats when a record is incomplete."""
        if self._rest:
            raise MalformedStats(self._rest[0])


def count_of(digits: bytes) -> int:
    """A number of lines; none for a binary file. Raises MalformedStats."""
    if digits == b"-":
        return 0
    if not digits.isdigit():
        raise MalformedStats(digits)
    return int(digits)
