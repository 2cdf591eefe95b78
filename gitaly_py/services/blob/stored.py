"""Blobs in the object store, reachable or not: the `git cat-file` behind an RPC (ref-blob.md 6.4)."""

from __future__ import annotations

import re

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Process
from gitaly_py.services.blob.processes import Source

_BLOB = re.compile(rb"([0-9a-f]+) blob [0-9]+")


def stored_blobs(wanted: re.Pattern[bytes] = _BLOB) -> Source:
    """Every blob of all object directories, once, in no order.

    wanted: matches `<id> blob <size>` of the blobs that are wanted, its group being the id.
    """
    match = wanted.fullmatch

    def choose(lines: list[bytes]) -> list[bytes]:
        return [found[1] for line in lines if (found := match(line))]

    flags = ["--batch-check", "--batch-all-objects", "--unordered", "--buffer"]
    return Source(Command(name="cat-file", flags=flags), Process.check, choose=choose, sized=True)
