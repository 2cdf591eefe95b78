"""What a fetch begins with, against `git upload-pack` for the same request: capabilities and references."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import structlog

from benchmarks.harness import Row, seconds_async, workspace
from gitaly_py.git.process import Git
from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.settings import GitSettings
from gitaly_py.telemetry.tasks import spawn
from tests.support.advertising import USUAL, Advertised, EarlyPieces, ls_refs_request, upload_pack
from tests.support.repositories import ENVIRONMENT, Repo
from tests.support.stamps import settle_all

MANY = 100_000
SOME = 2_000
CHANGED = 20
"""Branches that were pushed since the references were packed."""
LONGEST_TURN = 5.0
"""Milliseconds that nothing may hold the event loop."""

Work = Callable[[], Awaitable[object]]


async def run(quick: bool) -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rounds = 3 if quick else 15
    rows = []
    with workspace() as root:
        async with _advertiser(root) as advertised:
            for count in (SOME, MANY):
                repo = _repository(root / f"{count}.git", count)
                rows += await _Listing(advertised, repo, rounds).rows(f"ls-refs of {count:,}")
            rows.append(await _capabilities(advertised, repo, rounds))
    return rows


class _Listing:
    """Times lists of one repository's references, asked for as `git clone` does."""

    def __init__(self, advertised: Advertised, repo: Repo, rounds: int) -> None:
        self._advertised = advertised
        self._repo = repo
        self._rounds = rounds
        self._commits = repo.git("rev-list", "refs/heads/branch-000000", "--max-count=2").split()
        self._request = ls_refs_request(USUAL)

    async def rows(self, name: str) -> list[Row]:
        """First, again, and after a push."""
        times: dict[str, list[float]] = {"first": [], "again": [], "after a push": [], "git": []}
        turns = []
        for number in range(self._rounds):
            # Whoever watches the event loop takes its time, so these are runs of their own.
            self._advertised.forget()
            settle_all(self._repo.git_dir)
            async with _longest_turn() as longest:
                await self._asked()
            turns.append(longest[0])
            self._advertised.forget()
            times["first"].append(await seconds_async(self._asked))
            times["again"].append(await seconds_async(self._asked))
            self._repo.ref("refs/heads/branch-000001", self._commits[number % 2])
            settle_all(self._repo.git_dir)
            times["after a push"].append(await seconds_async(self._asked))
            times["git"].append(await seconds_async(self._by_git))
        git = median(times.pop("git"))
        limits = {"first": 1.0, "again": 0.1, "after a push": 1.0}
        rows = [
            Row(f"{name}: {which}", median(found) * 1e3, git * 1e3, "ms", limits[which])
            for which, found in times.items()
        ]
        turn = Row(f"{name}: longest turn (bound)", median(turns) * 1e3, LONGEST_TURN, "ms", 1.0)
        return [*rows, turn]

    async def _asked(self) -> None:
        answer = await self._advertised.advertiser.ls_refs(
            self._advertised.repository(self._repo), [], self._request, EarlyPieces()
        )
        if answer is None:
            raise RuntimeError("the list of references was left to git")

    async def _by_git(self) -> None:
        await asyncio.to_thread(upload_pack, self._repo, "--stateless-rpc", stdin=self._request)


async def _capabilities(advertised: Advertised, repo: Repo, rounds: int) -> Row:
    repository = advertised.repository(repo)

    async def ours() -> None:
        await advertised.advertiser.capabilities(repository, [])

    async def gits() -> None:
        await asyncio.to_thread(upload_pack, repo, "--stateless-rpc", "--advertise-refs")

    await ours()
    times = [(await seconds_async(ours), await seconds_async(gits)) for _ in range(rounds)]
    measured, reference = (median(column) * 1e3 for column in zip(*times, strict=True))
    return Row("capabilities of version 2", measured, reference, "ms", 0.1)


@asynccontextmanager
async def _advertiser(root: Path) -> AsyncIterator[Advertised]:
    git = Git(GitSettings(environment=ENVIRONMENT))
    readers = Readers(git)
    try:
        yield Advertised(readers, str(root))
    finally:
        await readers.close()
        await git.close()


@asynccontextmanager
async def _longest_turn() -> AsyncIterator[list[float]]:
    """The longest time, in seconds, for which nobody else could use the event loop."""
    longest = [0.0]
    owner: set[asyncio.Task[None]] = set()

    async def watch() -> None:
        while True:
            since = time.perf_counter()
            await asyncio.sleep(0)
            longest[0] = max(longest[0], time.perf_counter() - since)

    watching = spawn(watch(), name="turns", owner=owner)
    await asyncio.sleep(0)
    try:
        yield longest
    finally:
        watching.cancel()


def _repository(path: Path, count: int) -> Repo:
    """A repository with packed branches, of which some were changed since, and a tenth as many tags."""
    repo = Repo.init(path, branch="branch-000000")
    commits = repo.history(100)
    tag = repo.tag("v", commits[0])
    repo.git("repack", "-adq")
    names = [f"refs/heads/branch-{number:06}" for number in range(count)]
    lines = [f"{commits[number % 100]} {name}\n" for number, name in enumerate(names)]
    lines += [f"{tag} refs/tags/v{number:06}\n^{commits[0]}\n" for number in range(count // 10)]
    header = "# pack-refs with: peeled fully-peeled sorted \n"
    Path(repo.git_dir, "packed-refs").write_text(header + "".join(lines))
    for name in names[:CHANGED]:
        repo.ref(name, commits[-1])
    return repo
