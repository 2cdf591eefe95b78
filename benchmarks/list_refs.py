"""Listing references against `git for-each-ref`, as their callers see them end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any

from benchmarks.harness import Row, medians, running_daemon, workspace
from gitaly_py.pb.ref_pb2 import FindLocalBranchesRequest, ListRefsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import PaginationParameter
from tests.support.fixtures import repository_in
from tests.support.repositories import EPOCH, Repo

REFERENCES = 100_000
COMMITS = 10_000

Work = Callable[[], Awaitable[object]]

DETAILED = True


async def run(quick: bool) -> list[Row]:
    rounds = 3 if quick else 9
    with workspace() as root:
        async with running_daemon(root) as daemon:
            refs = daemon.stub(RefServiceStub)
            repo = repository_in(daemon.storage)
            _fill(repo)
            page = PaginationParameter(limit=20)
            later = PaginationParameter(limit=20, page_token=f"refs/heads/branch-{REFERENCES // 2:06}")

            def listing(**fields: Any) -> Work:
                request = ListRefsRequest(repository=repo.message, **fields)
                return lambda: _drained(refs.ListRefs(request))

            def branches(**fields: Any) -> Work:
                request = FindLocalBranchesRequest(repository=repo.message, **fields)
                return lambda: _drained(refs.FindLocalBranches(request))

            heads = [b"refs/heads/"]
            pairs: dict[str, tuple[Work, Work]] = {
                "ListRefs: 100,000 branches": (listing(patterns=heads), _git(repo, "refs/heads/")),
                "ListRefs: the same, patterns that need matching": (
                    listing(patterns=[b"refs/heads/*"]),
                    _git(repo, "refs/heads/*"),
                ),
                "ListRefs: by committer date": (
                    listing(patterns=heads, sort_by=ListRefsRequest.SortBy(key="COMMITTERDATE")),
                    _git(repo, "--sort=committerdate", "refs/heads/"),
                ),
                "ListRefs: 20 from the middle": (
                    listing(patterns=heads, pagination_params=later),
                    _git(repo, "--count=20", "refs/heads/"),
                ),
                "FindLocalBranches: 20 by name": (
                    branches(pagination_params=page),
                    _git(repo, "--count=20", "refs/heads/"),
                ),
                "FindLocalBranches: the 20 youngest": (
                    branches(pagination_params=page, sort_by="UPDATED_DESC"),
                    _git(repo, "--sort=-committerdate", "--count=20", "refs/heads/"),
                ),
            }
            rows = []
            for name, works in pairs.items():
                ours, gits = await medians(rounds, *works)
                limit = 1.5 if name.endswith("branches") else None
                rows.append(Row(name, ours * 1e3, gits * 1e3, "ms", limit))
            return rows


async def _drained(stream: AsyncIterable[object]) -> None:
    async for _ in stream:
        pass


def _git(repo: Repo, *arguments: str) -> Work:
    command = ("for-each-ref", "--format=%(objectname) %(refname)", *arguments)

    async def work() -> None:
        await asyncio.to_thread(repo.git_bytes, *command)

    return work


def _fill(repo: Repo) -> None:
    """Packs REFERENCES branches of COMMITS commits."""
    repo.git("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(_commits()))
    oids = [oid for name, oid in repo.references().items() if name.startswith(b"refs/import/")]
    lines = [f"{oids[number % COMMITS]} refs/heads/branch-{number:06}\n" for number in range(REFERENCES)]
    text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
    with open(f"{repo.git_dir}/packed-refs", "w") as file:
        file.write(text)
    repo.git("symbolic-ref", "HEAD", "refs/heads/branch-000000")


def _commits() -> Iterator[bytes]:
    for number in range(COMMITS):
        date = EPOCH + number * 7919 % COMMITS
        yield b"commit refs/import/%d\ncommitter C <c@example.com> %d +0000\ndata 2\nc\n\n" % (number, date)
