"""Makes repositories of a chosen shape: incompressible files for the bytes, edited text for the deltas."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.repositories import ENVIRONMENT, EPOCH, GIT, Repo

# Neither tried for deltas nor held in memory above this, which all incompressible files are and no text is.
_BIG_FILE = ("-c", "core.bigFileThreshold=24k")


@dataclass(frozen=True)
class Shape:
    """What a repository is like.

    size: bytes of its incompressible files, about those of its pack. blob: smallest and largest of them.
    edits: commits on main that edit text for each of them; two more come with a topic branch and its merge,
    and an annotated tag. texts, lines: how many text files, and how long. branches: `branch-N`, each with
    one commit of its own a little further back on main. references: lightweight ones beside all that.
    """

    size: int
    blob: tuple[int, int] = (32 * 1024, 224 * 1024)
    edits: int = 2
    texts: int = 200
    lines: int = 120
    branches: int = 0
    references: int = 0


def make_repository(path: Path, size: int | Shape, seed: int = 1) -> Repo:
    """A bare repository with one pack, with a bitmap, and packed references, as housekeeping leaves it.

    size: of the pack in bytes, about, or a whole shape. The same seed makes the same objects.
    """
    shape = size if isinstance(size, Shape) else Shape(size)
    repo = Repo.init(path)
    line = [GIT, "--git-dir", repo.git_dir, *_BIG_FILE, "-c", "core.compression=0"]
    importer = subprocess.Popen(
        [*line, "fast-import", "--quiet", "--date-format=raw"], stdin=subprocess.PIPE, env=ENVIRONMENT
    )
    assert importer.stdin is not None
    with importer.stdin as stdin:
        stdin.writelines(_History(shape, seed).stream())
    if importer.wait() != 0:
        raise RuntimeError("git fast-import failed")
    repo.git(*_BIG_FILE, "repack", "-adfq", "--write-bitmap-index")
    repo.git("pack-refs", "--all")
    if shape.references:
        _add_references(repo, shape.references)
    return repo


class _History:
    """A stream for `git fast-import`: commits on main, most of them edits, with short topic branches."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self._shape = shape
        self._random = random.Random(seed)
        self._words = ["".join(self._random.choices("abcdefghij", k=7)) for _ in range(2000)]
        self._texts = [[self._line() for _ in range(shape.lines)] for _ in range(shape.texts)]
        self._commits = 0

    def stream(self) -> Iterator[bytes]:
        """The whole history."""
        written = 0
        while written < self._shape.size:
            data = self._random.randbytes(self._random.randint(*self._shape.blob))
            written += len(data)
            yield from self._commit("main", _file(f"assets/{written % 61:02}/{written}.bin", data))
            base = self._commits
            for _ in range(self._shape.edits):
                yield from self._commit("main", self._edit())
            yield from self._commit("topic", f"from :{base}\n".encode() + self._edit())
            yield from self._commit("main", f"merge :{self._commits}\n".encode() + self._edit())
            yield self._tag(f"v{written}")
        tip = self._commits
        for number in range(self._shape.branches):
            start = b"from :%d\n" % max(tip - 5 * number, 1)
            yield from self._commit(f"branch-{number}", start + self._edit())

    def _commit(self, branch: str, changes: bytes) -> Iterator[bytes]:
        self._commits += 1
        message = " ".join(self._random.choices(self._words, k=12)).encode()
        yield (
            b"commit refs/heads/%s\nmark :%d\ncommitter C O Mitter <committer@example.com> %d +0000\n"
            % (branch.encode(), self._commits, EPOCH + self._commits)
        )
        yield b"data %d\n%s\n%s\n" % (len(message), message, changes)

    def _tag(self, name: str) -> bytes:
        tagger = b"tagger C O Mitter <committer@example.com> %d +0000\n" % (EPOCH + self._commits)
        return b"tag %s\nfrom :%d\n%sdata 8\nrelease\n\n" % (name.encode(), self._commits, tagger)

    def _edit(self) -> bytes:
        number = self._random.randrange(self._shape.texts)
        lines = self._texts[number]
        for _ in range(3):
            lines[self._random.randrange(self._shape.lines)] = self._line()
        return _file(f"src/{number % 17:02}/{number}.txt", "".join(lines).encode())

    def _line(self) -> str:
        return " ".join(self._random.choices(self._words, k=10)) + "\n"


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _add_references(repo: Repo, count: int) -> None:
    """Names commits of main `refs/heads/feature/NNNNNNN`, by writing what `git pack-refs` would."""
    commits = repo.git("rev-list", "--max-count=10000", "main").splitlines()
    path = Path(repo.git_dir, "packed-refs")
    header, *lines = path.read_text().splitlines(keepends=True)
    new = [f"{commits[n % len(commits)]} refs/heads/feature/{n:07}\n" for n in range(count)]
    # Between branch-N and main; the peeled line of a tag stays behind its tag.
    place = next(n for n, line in enumerate(lines) if line.endswith(" refs/heads/main\n"))
    path.write_text("".join((header, *lines[:place], *new, *lines[place:])))
