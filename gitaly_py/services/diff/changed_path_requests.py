"""What a FindChangedPathsRequest asks for: what is compared, and how (diff-conflicts.md 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Sequence

from gitaly_py.git.commands import Flag
from gitaly_py.pb.diff_pb2 import FindChangedPathsRequest
from gitaly_py.rpc.status import InvalidArgument

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


def flags(request: FindChangedPathsRequest, *, with_commits: bool) -> list[Flag]:
    """How git compares. Raises InvalidArgument for a filter that is none."""
    chosen: list[Flag] = ["-z", "--stdin", "-r", "--root", f"--diff-filter={_filters(request)}"]
    if not with_commits:
        chosen.append("--no-commit-id")
    chosen.append("--find-renames=30%" if request.find_renames else "--no-renames")
    return chosen + _MERGES.get(request.merge_commit_diff_mode, [])


def _filters(request: FindChangedPathsRequest) -> str:
    if any(each not in _FILTERS for each in request.diff_filters):
        raise InvalidArgument("invalid diff filter requested")
    return "".join(dict.fromkeys(_FILTERS[each] for each in request.diff_filters)) or _ALL_FILTERS
