"""Makes repositories of a chosen size: incompressible files for the bytes, edited text for the deltas."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.repositories import ENVIRONMENT, EPOCH, GIT, Repo

BINARY_BYTES = (32 * 1024, 224 * 1024)
"""Smallest and largest of the incompressible files."""
TEXT_COMMITS = 2
"""Edits of text on main for each incompressible file; two more come with a topic branch and its merge."""
TEXT_FILES = 200
TEXT_LINES = 120

# Neither tried for deltas nor held in memory above this, which all incompressible files are and no text is.
_BIG_FILE = ("-c", "core.bigFileThreshold=24k")


def make_repository(path: Path, size: int, seed: int = 1) -> Repo:
    """A bare repository whose one pack has about `size` bytes, with a bitmap, as housekeeping leaves it.

    The same seed makes the same objects.
    """
    repo = Repo.init(path)
    line = [GIT, "--git-dir", repo.git_dir, *_BIG_FILE, "-c", "core.compression=0"]
    importer = subprocess.Popen(
        [*line, "fast-import", "--quiet", "--date-format=raw"], stdin=subprocess.PIPE, env=ENVIRONMENT
    )
    assert importer.stdin is not None
    with importer.stdin as stdin:
        stdin.writelines(_History(seed).until(size))
    if importer.wait() != 0:
        raise RuntimeError("git fast-import failed")
    repo.git(*_BIG_FILE, "repack", "-adfq", "--write-bitmap-index")
    repo.git("pack-refs", "--all")
    return repo


class _History:
    """A stream for `git fast-import`: commits on main, most of them edits, with short topic branches."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = ["".join(self._random.choices("abcdefghij", k=7)) for _ in range(2000)]
        self._texts = [[self._line() for _ in range(TEXT_LINES)] for _ in range(TEXT_FILES)]
        self._commits = 0

    def until(self, size: int) -> Iterator[bytes]:
        """The stream, until its incompressible files have `size` bytes."""
        written = 0
        while written < size:
            data = self._random.randbytes(self._random.randint(*BINARY_BYTES))
            written += len(data)
            yield from self._commit("main", _file(f"assets/{written % 61:02}/{written}.bin", data))
            base = self._commits
            for _ in range(TEXT_COMMITS):
                yield from self._commit("main", self._edit())
            yield from self._commit("topic", f"from :{base}\n".encode() + self._edit())
            yield from self._commit("main", f"merge :{self._commits}\n".encode() + self._edit())
            yield f"reset refs/tags/v{written}\nfrom :{self._commits}\n\n".encode()

    def _commit(self, branch: str, changes: bytes) -> Iterator[bytes]:
        self._commits += 1
        message = " ".join(self._random.choices(self._words, k=12)).encode()
        yield (
            b"commit refs/heads/%s\nmark :%d\ncommitter C O Mitter <committer@example.com> %d +0000\n"
            % (branch.encode(), self._commits, EPOCH + self._commits)
        )
        yield b"data %d\n%s\n%s\n" % (len(message), message, changes)

    def _edit(self) -> bytes:
        number = self._random.randrange(TEXT_FILES)
        lines = self._texts[number]
        for _ in range(3):
            lines[self._random.randrange(TEXT_LINES)] = self._line()
        return _file(f"src/{number % 17:02}/{number}.txt", "".join(lines).encode())

    def _line(self) -> str:
        return " ".join(self._random.choices(self._words, k=10)) + "\n"


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
