"""Blobs that are reachable from revisions: the `git rev-list` behind an RPC (ref-blob.md 6.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial

from gitaly_py.git.commands import Command, Flag
from gitaly_py.rpc.checks import FieldCheck, each
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision_test
from gitaly_py.services.commit.revisions import revision_input
from gitaly_py.services.commit.walks import check_walk
from gitaly_py.services.piping import Source

_validate = revision_test(prefix="invalid revision: ", paths=True, pseudo=True)


def revisions(field: str) -> FieldCheck:
    """The field holds revisions, `rev:path` and pseudo-revisions."""
    return each(field, lambda revision: _validate(revision.encode()))


def walk(
    call: Call,
    given: Iterable[str],
    *,
    filters: Sequence[Flag] = (),
    paths: deque[bytes] | None = None,
) -> Source:
    """Every blob that is reachable, once: those given directly first, then by commit, the newest first.

    filters: flags that leave blobs out. paths: gets the path of each blob, as the ids go on to their reader.
    """
    walked = revision_input([revision.encode() for revision in given], call.app.git.version_tuple)
    flags = ["--stdin", "--in-commit-order", "--objects", *filters]
    flags += ["--filter=object:type=blob", "--filter-provided-objects"]
    flags.append("--no-object-names" if paths is None else "--object-names")
    command = Command(name="rev-list", flags=flags, args=walked.arguments, paths=[])
    hex_length = call.repository.reader().format.hex_length
    choose = None if paths is None else partial(_divide, hex_length, paths)
    return Source(command, partial(check_walk, "processing blobs"), walked.stdin, choose)


def _divide(hex_length: int, paths: deque[bytes], lines: list[bytes]) -> list[bytes]:
    paths.extend([line[hex_length + 1 :] for line in lines])
    return [line[:hex_length] for line in lines]
