"""The repository that is read, made from nothing by `git fast-import`."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.repositories import ENVIRONMENT, EPOCH, GIT, Repo

_PERSON = b"A U Thor <author@example.com> %d +0000"
_LINES = 1000
"""Of the file that is blamed."""
_LARGE_LINES = 120
"""Of each file of the large patch, a line of 99 characters all of them changed."""


@dataclass(frozen=True)
class Shape:
    """commits: on main, each of which changes a file of `files` and some the file that is blamed too.

    branches: beside main. tags: annotated ones. changed: paths that `paths` changes. patched: files that
    `patch` changes all lines of.
    """

    commits: int
    files: int
    branches: int
    tags: int
    changed: int
    patched: int


FULL = Shape(commits=100_000, files=50_000, branches=90_000, tags=10_000, changed=10_000, patched=210)
QUICK = Shape(commits=3_000, files=3_000, branches=3_000, tags=500, changed=500, patched=20)


def repository(folder: Path, shape: Shape) -> Repo:
    """The repository of this shape, as housekeeping leaves it; a later run finds it again in `folder`."""
    made_by = Path(__file__).read_bytes()
    path = folder / f"{hashlib.sha256(made_by + repr(shape).encode()).hexdigest()[:16]}.git"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make(unfinished, shape)
        unfinished.rename(path)
    return Repo.at(path)


def path_of(number: int) -> bytes:
    """The path of a file."""
    return b"src/%02d/%02d/file%05d.rb" % (number % 37, number // 37 % 37, number)


def _make(path: Path, shape: Shape) -> None:
    print(f"making a repository of {shape.commits:,} commits", file=sys.stderr)
    repo = Repo.init(path)
    line = [GIT, "--git-dir", repo.git_dir, "fast-import", "--quiet", "--date-format=raw"]
    importer = subprocess.Popen(line, stdin=subprocess.PIPE, env=ENVIRONMENT)
    assert importer.stdin is not None
    with importer.stdin as stdin:
        stdin.writelines(_history(shape))
    if importer.wait() != 0:
        raise RuntimeError("git fast-import failed")
    repo.git("repack", "-adq", "--write-bitmap-index")
    repo.git("commit-graph", "write", "--reachable", "--changed-paths", "--no-progress")
    repo.git("pack-refs", "--all")


def _history(shape: Shape) -> Iterator[bytes]:
    source = random.Random(1)
    lines = [b"line %d\n" % number for number in range(_LINES)]
    yield from _commit(1, shape.commits, "main", b"begin", b"".join(_first(shape)))
    for number in range(2, shape.commits + 1):
        change = _file(path_of(source.randrange(shape.files)), b"%d\n" % number)
        if number % 100 == 0:
            lines[source.randrange(_LINES)] = b"line %d\n" % number
            change += _file(b"blamed.txt", b"".join(lines))
        yield from _commit(number, shape.commits, "main", b"commit %d" % number, change)
    tip = b":%d" % shape.commits
    changed = b"".join(_file(path_of(number), b"changed\n") for number in range(shape.changed))
    yield from _commit(0, shape.commits, "paths", b"paths", b"from %b\n%b" % (tip, changed))
    for number, letter in enumerate((b"a", b"b")):
        patched = b"".join(_patched(shape, letter))
        start = b"from %b\n" % tip if not number else b""
        yield from _commit(0, shape.commits, "patch", b"patch", start + patched)
    for number in range(shape.branches):
        yield b"reset refs/heads/feature/%06d\nfrom :%d\n\n" % (number, 1 + number % shape.commits)
    for number in range(shape.tags):
        yield b"tag v%05d\nfrom :%d\ntagger %b\ndata 8\nrelease\n\n" % (
            number,
            1 + number * 7 % shape.commits,
            _PERSON % (EPOCH + number),
        )


def _first(shape: Shape) -> Iterator[bytes]:
    yield _file(b"README.md", b"read me\n")
    yield _file(b"blamed.txt", b"".join(b"line %d\n" % number for number in range(_LINES)))
    for number in range(100):
        yield _file(b"wide/file%03d.txt" % number, b"%d\n" % number)
    for number in range(shape.files):
        yield _file(path_of(number), b"content of %d\n" % number)


def _patched(shape: Shape, letter: bytes) -> Iterator[bytes]:
    for number in range(shape.patched):
        text = b"".join(b"%06d%b\n" % (line, letter * 93) for line in range(_LARGE_LINES))
        yield _file(b"patched/%03d.txt" % number, text)


def _commit(number: int, last: int, branch: str, subject: bytes, changes: bytes) -> Iterator[bytes]:
    """number: its mark, 0 for one that comes behind the `last` of main."""
    yield b"commit refs/heads/%b\n" % branch.encode()
    if number:
        yield b"mark :%d\n" % number
    person = _PERSON % (EPOCH + (number or last + 1))
    yield b"author %b\ncommitter %b\ndata %d\n%b\n%b\n" % (person, person, len(subject), subject, changes)


def _file(path: bytes, data: bytes) -> bytes:
    return b"M 100644 inline %b\ndata %d\n%b\n" % (path, len(data), data)
