"""Trailers of commit messages (commit.md 2).

Rails asks for them with nearly every FindCommit, so the usual message is parsed here, by the rules of
git-interpret-trailers without configuration. Git is asked only about messages in which comments,
conflict lists, NUL bytes or another encoding would matter.
"""

from __future__ import annotations

import re
from itertools import pairwise

from gitaly_py.git.commands import Command
from gitaly_py.git.reading.interface import GitObject
from gitaly_py.git.wire.commits import parse_commit
from gitaly_py.git.wire.trailers import FORMAT, parse_trailers
from gitaly_py.pb.shared_pb2 import CommitTrailer
from gitaly_py.services.app import Call

_KEY = re.compile(rb"[A-Za-z0-9-]+[ \t]*:")
_FOLD = re.compile(rb"\n[ \t\n\r]*")
_BLANK = b" \t\n\r"
_GIT_MADE = (b"Signed-off-by: ", b"(cherry picked from commit ")
_ODD = re.compile(rb"\0|^#|^Conflicts:\n", re.MULTILINE)


async def trailers_of(call: Call, commit: GitObject) -> list[CommitTrailer]:
    """The trailers of a raw commit. Raises CommandFailed."""
    parsed = parse_commit(commit.data)
    if b":" not in parsed.message:
        # What git takes for a trailer without a colon has no key.
        return []
    if parsed.encoding or _ODD.search(parsed.message):
        command = Command(name="show", flags=["--no-patch", f"--format={FORMAT}"], args=[commit.oid])
        output = (await call.app.git.run(call.repository.git, command)).check().stdout
    else:
        output = plain_trailers(parsed.message)
    return [CommitTrailer(key=key, value=value) for key, value in parse_trailers(output)]


def plain_trailers(message: bytes) -> bytes:
    """What FORMAT prints for a message without comments, conflict lists and NUL bytes."""
    lines = message.split(b"\n")
    while lines and not lines[-1]:
        lines.pop()
    return b"\0".join(map(_unfolded, _joined(_trailer_lines(lines))))


def _trailer_lines(lines: list[bytes]) -> list[bytes]:
    """The last paragraph and what follows it, if it is one of trailers, else nothing.

    The first paragraph is the title, whatever it looks like.
    """
    filled = [number for number, line in enumerate(lines) if line.strip(_BLANK)]
    # A paragraph begins where the previous line that is not blank is no neighbour.
    starts = [number for before, number in pairwise(filled) if before < number - 1]
    if not starts or not _is_of_trailers(lines[starts[-1] : filled[-1] + 1]):
        return []
    return lines[starts[-1] :]


def _is_of_trailers(paragraph: list[bytes]) -> bool:
    """Whether all lines are trailers, or a quarter of them, if one is of git's own making."""
    trailers = others = continuations = 0
    git_made = False
    for line in reversed(paragraph):
        made = line.startswith(_GIT_MADE)
        if made or _KEY.match(line):
            git_made |= made
            trailers += 1
            continuations = 0
        elif line[:1] in _BLANK:
            continuations += 1
        else:
            others += 1 + continuations
            continuations = 0
    others += continuations
    return trailers * 3 >= others if git_made else trailers > 0 and others == 0


def _joined(lines: list[bytes]) -> list[bytes]:
    """Trailers with the lines that continue them."""
    joined: list[bytes] = []
    continues = False
    for line in lines:
        if continues and line[:1] in _BLANK:
            joined[-1] += b"\n" + line
        else:
            joined.append(line)
            continues = _KEY.match(line) is not None
    return joined


def _unfolded(trailer: bytes) -> bytes:
    """A trailer on one line, without blanks around key and value."""
    if not _KEY.match(trailer):
        return trailer.rstrip(_BLANK)
    key, _, value = trailer.partition(b":")
    return key.rstrip(_BLANK) + b": " + _FOLD.sub(b" ", value.strip(_BLANK)).strip(_BLANK)
