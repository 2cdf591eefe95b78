"""Long answers against the git command that does the same work, whose output somebody reads as well."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from typing import NamedTuple

from benchmarks.harness import Row
from benchmarks.reading.stage import Question, Stage
from benchmarks.rpc.connection import Connection, ended
from benchmarks.rpc.metadata import Metadata, block_maker
from gitaly_py.pb.shared_pb2 import PaginationParameter
from tests.support.repositories import ENVIRONMENT, GIT

_MOST = 1.5
_WINDOW = 1 << 30
_PIECE = 1 << 16


class Pair(NamedTuple):
    """A call, and the pipeline of git commands that does the same."""

    question: Question
    commands: list[list[str]]


def figures(stage: Stage, quick: bool) -> Iterator[Row]:
    """Wall time of each stream against git's."""
    rounds = 3 if quick else 7
    for name, pair in pairs(stage).items():
        ours, gits = [], []
        for _ in range(rounds):
            ours.append(drained(stage.socket, pair.question))
            gits.append(_piped(stage, pair.commands))
        yield Row(name, median(ours) * 1e3, median(gits) * 1e3, "ms", _MOST)


def pairs(stage: Stage) -> dict[str, Pair]:
    """Each stream by what it is called."""
    return _of_references(stage) | _of_history(stage) | _of_trees(stage) | _of_changes(stage)


def _of_references(stage: Stage) -> dict[str, Pair]:
    shape, ask = stage.shape, stage.question
    branch_format = "--format=%(refname) %(objectname) %(tree) %(author) %(contents)"
    tag_format = "--format=%(objectname) %(refname) %(tagger) %(contents) %(*tree) %(*author) %(*contents)"
    return {
        f"ListRefs: {shape.branches + shape.tags:,}": Pair(
            ask("RefService/ListRefs", patterns=[b"refs/"]),
            [["for-each-ref", "--format=%(objectname) %(refname)"]],
        ),
        f"FindLocalBranches: {shape.branches:,}": Pair(
            ask("RefService/FindLocalBranches"), [["for-each-ref", branch_format, "refs/heads"]]
        ),
        f"FindAllTags: {shape.tags:,}": Pair(
            ask("RefService/FindAllTags"), [["for-each-ref", tag_format, "refs/tags"]]
        ),
    }


def _of_history(stage: Stage) -> dict[str, Pair]:
    ask = stage.question
    listed = min(10_000, stage.shape.commits)
    page = PaginationParameter(limit=listed)
    commit_format = "--format=%H%n%T%n%P%n%an%n%ae%n%at%n%cn%n%ce%n%ct%n%B"
    return {
        f"ListCommits: {listed:,}": Pair(
            ask("CommitService/ListCommits", revisions=["main"], pagination_params=page),
            [["log", f"--max-count={listed}", commit_format, "main"]],
        ),
        "ListLastCommitsForTree: 100": Pair(
            ask("CommitService/ListLastCommitsForTree", revision="main", path=b"wide/", limit=100),
            [["log", "--format=%H", "--name-only", "main", "--", "wide/"]],
        ),
        "RawBlame": Pair(
            ask("CommitService/RawBlame", revision=b"main", path=b"blamed.txt"),
            [["blame", "-p", "main", "--", "blamed.txt"]],
        ),
    }


def _of_trees(stage: Stage) -> dict[str, Pair]:
    ask, entries = stage.question, f"{stage.shape.files:,}"
    return {
        f"GetTreeEntries: {entries}": Pair(
            ask("CommitService/GetTreeEntries", revision=b"main", path=b".", recursive=True),
            [["ls-tree", "-r", "-t", "-z", "main"]],
        ),
        f"ListFiles: {entries}": Pair(
            ask("CommitService/ListFiles", revision=b"main"), [["ls-tree", "-r", "-z", "--name-only", "main"]]
        ),
        f"ListBlobs: {entries}": Pair(
            ask("BlobService/ListBlobs", revisions=["main^{tree}"]),
            [
                ["rev-list", "--objects", "--no-object-names", "--filter=object:type=blob", "main^{tree}"],
                ["cat-file", "--batch-check", "--buffer"],
            ],
        ),
    }


def _of_changes(stage: Stage) -> dict[str, Pair]:
    ask = stage.question
    return {
        "CommitDiff: 5 MB": Pair(
            ask("DiffService/CommitDiff", left_commit_id="patch~", right_commit_id="patch"),
            [["diff", "--raw", "--patch", "--full-index", "--find-renames=30%", "patch~", "patch"]],
        ),
        f"FindChangedPaths: {stage.shape.changed:,}": Pair(
            ask("DiffService/FindChangedPaths", requests=[_tree_pair(stage)]),
            [["diff-tree", "-r", "-z", "--raw", "--full-index", "paths~", "paths"]],
        ),
    }


def drained(socket: str, question: Question) -> float:
    """Seconds until the last byte of an answer is there."""
    with closing(Connection(socket, window=_WINDOW)) as connection:
        connection.settle()
        make_block = block_maker(question.path, Metadata.CORE, connection.table_size)
        [data] = connection.requests(1, make_block, question.message)
        since = time.perf_counter()
        connection.send(data)
        while not ended(connection.receive()):
            pass
        elapsed = time.perf_counter() - since
        connection.verify(1)
    return elapsed


def _tree_pair(stage: Stage) -> dict[str, dict[str, str]]:
    trees = stage.repo.git("rev-parse", "paths~^{tree}", "paths^{tree}").split()
    left, right = trees
    return {"tree_request": {"left_tree_revision": left, "right_tree_revision": right}}


def _piped(stage: Stage, commands: list[list[str]]) -> float:
    """Seconds of a pipeline of git commands."""
    since = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    for command in commands:
        stdin = running[-1].stdout if running else subprocess.DEVNULL
        line = [GIT, "--git-dir", stage.repo.git_dir, *command]
        running.append(subprocess.Popen(line, stdin=stdin, stdout=subprocess.PIPE, env=ENVIRONMENT))
    output = running[-1].stdout
    assert output is not None
    while output.read(_PIECE):
        pass
    for process in running:
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
    return time.perf_counter() - since
