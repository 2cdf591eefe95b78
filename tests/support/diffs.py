"""Pairs of commits with every kind of change, and what git says of them file by file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.support.repositories import Entry, Repo


class Change(NamedTuple):
    """One file, or one half of a type change, as the API tells it."""

    from_path: bytes
    to_path: bytes
    from_id: str
    to_id: str
    old_mode: int
    new_mode: int
    patch: bytes
    binary: bool
    lines_added: int
    lines_removed: int


TEXT = b"".join(b"line %d\n" % number for number in range(30))
PROSE = b"".join(b"%d: the quick brown fox jumps over the lazy dog\n" % number for number in range(40))

CONFUSING = (
    b"-- a/file\n++ b/file\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file\n"
    b"Binary files a and b differ\n~\n\n\r\n:100644 100644\n"
)
"""Lines that look like something else once they are added or removed."""

LEFT: dict[str | bytes, Entry] = {
    "confusing": b"same\n",
    "confusing removed": CONFUSING,
    "crlf": b"one\r\ntwo\r\n",
    "deleted": b"gone\n",
    "deleted empty": b"",
    "edges": b"a\n" + TEXT + b"z\n",
    "file to folder": b"file\n",
    "folder to file/inside": b"inside\n",
    "huge line": b"x" * 300_000,
    "link": ("120000", b"one"),
    "link to file": ("120000", b"target"),
    "mode": b"same\n",
    "mode and content": b"old\n",
    "moved": TEXT,
    "moved and edited": PROSE,
    "no newline": b"old",
    "picture": b"\x89PNG\0one",
    "same": b"same\n",
    "script": ("100755", b"#!/bin/sh\n"),
    "x b/y": b"old\n",
    "y b/y b/y b/y": b"old\n",
    b"\ttab": b"old\n",
    b"new\nline": b"old\n",
    b'quo"te': b"old\n",
    b"back\\slash": b"old\n",
    b"bell\a\b\f\v\r\x7f\x01": b"old\n",
    b"not\xffutf-8": b"old\n",
    "テスト.txt": b"old\n",
    b" leading": b"old\n",
    b"trailing ": b"old\n",
    b'"quoted"': b"old\n",
    b":colon": b"old\n",
    b"-dash": b"old\n",
}
RIGHT: dict[str | bytes, Entry] = {
    **{path: b"new\n" for path, entry in LEFT.items() if entry == b"old\n"},
    "added": b"++ one\n++ two\n",
    "added binary": b"\0",
    "added empty": b"",
    "confusing": CONFUSING,
    "confusing removed": b"same\n",
    "crlf": b"one\ntwo\r\n",
    "edges": b"A\n" + TEXT + b"Z\n",
    "file to folder/inside": b"quite another\n",
    "folder to file": b"other\n",
    "huge line": b"x" * 300_000 + b"y\n",
    "link": ("120000", b"two"),
    "link to file": b"content\n",
    "mode": ("100755", b"same\n"),
    "mode and content": ("100755", b"new\n"),
    "moved far/away\t": TEXT,
    "moved far/and edited": PROSE.replace(b"1", b"one") + TEXT,
    "no newline": b"new",
    "picture": b"\x89PNG\0two",
    "same": b"same\n",
    "script": ("100755", b"#!/bin/bash\n"),
}


def odd_pair(repo: Repo) -> tuple[str, str]:
    """Two commits that differ in every way; the branches `left` and `right`."""
    one, two = ("160000", "1" * repo.format.hex_length), ("160000", "2" * repo.format.hex_length)
    left = {**LEFT, "module": one, "module to file": one}
    right = {**RIGHT, "module": two, "module to file": b"file\n", "module added": two}
    return (
        repo.commit("left\n", left, ref="refs/heads/left"),
        repo.commit("right\n", right, ref="refs/heads/right"),
    )


def changes(repo: Repo, left: str, right: str, *flags: str, paths: Sequence[bytes] = ()) -> list[Change]:
    """What git says when it is asked for the list of files first, and then for each file by itself."""
    find = "--find-renames=30%"
    digits = repo.format.hex_length
    raw = repo.git_bytes("diff", "--raw", "-z", find, f"--abbrev={digits}", left, right, "--", *paths)
    fields = raw.split(b"\0")[:-1]
    found: list[Change] = []
    while fields:
        old_mode, new_mode, old, new, status = fields.pop(0)[1:].split(b" ")
        source = fields.pop(0)
        target = fields.pop(0) if status[:1] in b"RC" else source
        named = [b":(literal)" + path for path in dict.fromkeys((source, target))]
        # A folder that became a file is listed with what was in it.
        inside = [
            b":(exclude,literal)" + path + b"/" for path in (source, target) if b"\0" + path + b"/" in raw
        ]
        output = repo.git_bytes("diff", find, *flags, left, right, "--", *named, *inside)
        blocks = [b"diff --git " + block for block in output.split(b"\ndiff --git ")] if output else [b""]
        sides = [(int(old_mode, 8), old.decode()), (int(new_mode, 8), new.decode())]
        absent = (0, "0" * digits)
        halves = [(sides[0], absent), (absent, sides[1])] if status == b"T" else [(sides[0], sides[1])]
        assert len(blocks) == len(halves), (status, output)
        for (from_mode, from_id), (to_mode, to_id), block in (
            (*half, block) for half, block in zip(halves, blocks, strict=True)
        ):
            patch = _patch(block)
            found.append(Change(source, target, from_id, to_id, from_mode, to_mode, patch, *_counted(patch)))
    return found


def _patch(block: bytes) -> bytes:
    """What follows the header, complete with the line end that splitting took."""
    lines = (block if block.endswith(b"\n") or not block else block + b"\n").split(b"\n")[:-1]
    for number, line in enumerate(lines):
        if line.startswith((b"@@", b"Binary")):
            return b"".join(each + b"\n" for each in lines[number:])
    return b""


def _counted(patch: bytes) -> tuple[bool, int, int]:
    lines = patch.split(b"\n")
    return (
        patch.startswith(b"Binary"),
        sum(line.startswith(b"+") for line in lines),
        sum(line.startswith(b"-") for line in lines),
    )
