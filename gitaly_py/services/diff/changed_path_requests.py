"""What a FindChangedPathsRequest asks for: what is compared, and how (diff-conflicts.md 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import NamedTuple

from gitaly_py.git.commands import Flag
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.diff_pb2 import FindChangedPathsRequest
from gitaly_py.rpc.status import Internal, InvalidArgument, NotFound, during

Request = FindChangedPathsRequest.Request

_FILTERS = {
    FindChangedPathsRequest.DIFF_STATUS_ADDED: "A",
    FindChangedPathsRequest.DIFF_STATUS_MODIFIED: "M",
    FindChangedPathsRequest.DIFF_STATUS_DELETED: "D",
    FindChangedPathsRequest.DIFF_STATUS_TYPE_CHANGE: "T",
    FindChangedPathsRequest.DIFF_STATUS_COPIED: "C",
    FindChangedPathsRequest.DIFF_STATUS_RENAMED: "R",
}
_ALL_FILTERS = "AMDTCR"

_MERGES = {
    FindChangedPathsRequest.MERGE_COMMIT_DIFF_MODE_UNSPECIFIED: ["-m"],
    FindChangedPathsRequest.MERGE_COMMIT_DIFF_MODE_INCLUDE_MERGES: ["-m"],
    FindChangedPathsRequest.MERGE_COMMIT_DIFF_MODE_ALL_PARENTS: ["-c"],
}


class Named(NamedTuple):
    """A revision of a request. role: how error texts call it; type: of the object it must lead to."""

    role: str
    revision: bytes
    type: bytes


def check_form(request: FindChangedPathsRequest) -> None:
    """Raises InvalidArgument when both forms of a request are used."""
    if request.commits and request.requests:
        raise InvalidArgument("cannot specify both commits and requests")


def requests_of(request: FindChangedPathsRequest) -> Sequence[Request]:
    """The comparisons asked for, whichever form names them."""
    commits = [Request(commit_request={"commit_revision": commit}) for commit in request.commits]
    return commits or list(request.requests)


def only_commits(requests: Sequence[Request]) -> bool:
    """Whether each comparison is that of a commit."""
    return all(request.HasField("commit_request") for request in requests)


async def comparisons(reader: Reader, requests: Sequence[Request]) -> bytes:
    """What `git diff-tree --stdin` is told: the ids of each comparison in a line.

    Raises InvalidArgument and NotFound for the first revision that names nothing, and Internal for a
    comparison of nothing.
    """
    named = [list(_named(request)) for request in requests]
    ids = iter(await _resolved(reader, [each for line in named for each in line]))
    if not all(named):
        raise Internal("unknown FindChangedPathsRequest type")
    return b"".join(b" ".join(next(ids) for _ in line) + b"\n" for line in named)


def flags(request: FindChangedPathsRequest, *, with_commits: bool) -> list[Flag]:
    """How git compares. Raises InvalidArgument for a filter that is none."""
    chosen: list[Flag] = ["-z", "--stdin", "-r", "--root", f"--diff-filter={_filters(request)}"]
    if not with_commits:
        chosen.append("--no-commit-id")
    chosen.append("--find-renames=30%" if request.find_renames else "--no-renames")
    return chosen + _MERGES.get(request.merge_commit_diff_mode, [])


def _named(request: Request) -> Iterator[Named]:
    if request.HasField("commit_request"):
        commit = request.commit_request
        yield Named("resolving commit", commit.commit_revision.encode(), b"commit")
        for parent in commit.parent_commit_revisions:
            yield Named("resolving commit parent", parent.encode(), b"commit")
    elif request.HasField("tree_request"):
        tree = request.tree_request
        yield Named("resolving left tree", tree.left_tree_revision.encode(), b"tree")
        yield Named("resolving right tree", tree.right_tree_revision.encode(), b"tree")


async def _resolved(reader: Reader, named: list[Named]) -> list[bytes]:
    usable = list(takewhile(lambda each: each.revision, named))
    ids: list[bytes] = []
    peeled = (b"%b^{%b}" % (each.revision, each.type) for each in usable)
    async with aclosing(reader.info_each(peeled)) as found:
        for each in usable:
            with during(each.role):
                info = await anext(found)
                if info is None:
                    raise NotFound(f"revision can not be found: {quote(each.revision)}")
            ids.append(info.oid.encode())
    if len(usable) < len(named):
        raise InvalidArgument(f"{named[len(usable)].role}: revision cannot be empty")
    return ids


def _filters(request: FindChangedPathsRequest) -> str:
    if any(each not in _FILTERS for each in request.diff_filters):
        raise InvalidArgument("invalid diff filter requested")
    return "".join(dict.fromkeys(_FILTERS[each] for each in request.diff_filters)) or _ALL_FILTERS
