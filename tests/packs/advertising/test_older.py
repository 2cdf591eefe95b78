"""Advertisements of protocol versions 0 and 1: git's own, as long as nothing has changed."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitaly_py.packs.advertising import asking
from gitaly_py.telemetry.metrics import inforef_cache_attempts, inforef_cache_lookups
from tests.packs.advertising.conftest import NewRepo
from tests.support.advertising import Advertised, Counted, upload_pack
from tests.support.referenced import REPOSITORIES, healthy
from tests.support.repositories import ENVIRONMENT, GIT, Repo
from tests.support.smarthttp import FLUSH
from tests.support.stamps import settle_all

ADVERTISE = ("--stateless-rpc", "--advertise-refs")


async def said(
    advertised: Advertised,
    repo: Repo,
    *,
    protocol: str = "",
    stateless: bool = True,
    service: str = "upload-pack",
) -> bytes | None:
    repository = advertised.repository(repo)
    return await advertised.advertiser.references(
        repository, [], protocol=protocol, stateless=stateless, service=service
    )


def by_git(repo: Repo, *, protocol: str = "", stateless: bool = True) -> bytes:
    if stateless:
        return upload_pack(repo, *ADVERTISE, protocol=protocol).stdout
    return upload_pack(repo, protocol=protocol, stdin=FLUSH).stdout


@pytest.mark.parametrize("fill", REPOSITORIES, ids=lambda fill: fill.__name__)
async def test_an_advertisement_is_gits_own(
    advertised: Advertised, make_repo: NewRepo, fill: Callable[[Repo], None]
) -> None:
    repo = make_repo()
    fill(repo)
    complains = bool(upload_pack(repo, *ADVERTISE, protocol="").stderr)

    for protocol in ("", "version=1"):
        for stateless in (True, False):
            expected = by_git(repo, protocol=protocol, stateless=stateless)
            for _ in range(2):
                found = await said(advertised, repo, protocol=protocol, stateless=stateless)
                assert found == (None if complains else expected)


async def test_an_advertisement_is_made_once_for_each_service_version_and_kind_of_transport(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    counted = Counted()

    for _ in range(3):
        for protocol in ("", "version=1"):
            for stateless in (True, False):
                await said(advertised, repo, protocol=protocol, stateless=stateless)
        await said(advertised, repo, service="receive-pack")

    assert counted.since == {"started": 5}


async def test_a_push_is_told_of_every_reference_it_may_change(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    healthy(repo)
    repo.ref("refs/merge-requests/1/head", repo.references()[b"refs/heads/main"])

    found = await said(advertised, repo, service="receive-pack")

    assert found is not None
    assert b" refs/heads/main" in found
    assert b" refs/merge-requests/" not in found
    assert b" push-options" in found


def _shallow(repo: Repo) -> None:
    Path(repo.git_dir, "shallow").write_text(repo.references()[b"refs/heads/main"] + "\n")


CHANGES: dict[str, Callable[[Repo], object]] = {
    "a branch is made": lambda repo: repo.ref("refs/heads/new", repo.references()[b"refs/heads/main"]),
    "a branch is packed and deleted": lambda repo: (
        repo.git("pack-refs", "--all"),
        repo.git("update-ref", "-d", "refs/heads/zz/new"),
    ),
    "HEAD is moved": lambda repo: repo.symref("HEAD", "refs/heads/same-age"),
    "the repository becomes shallow": _shallow,
    "the target of a symbolic reference is moved": lambda repo: repo.ref(
        "refs/remotes/origin/main", repo.references()[b"refs/heads/main"]
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_is_told_to_the_next_client(
    advertised: Advertised, make_repo: NewRepo, change: Callable[[Repo], object]
) -> None:
    repo = make_repo()
    healthy(repo)
    repo.symref("refs/heads/to-hidden", "refs/remotes/origin/main")
    settle_all(repo.git_dir)
    before = await said(advertised, repo)

    change(repo)

    assert await said(advertised, repo) == by_git(repo) != before


async def test_in_a_tight_loop_no_advertisement_is_old(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    commit = repo.history(1, "refs/heads/main")[0]

    for number in range(30):
        name = f"refs/heads/{number}"
        Path(repo.git_dir, name).write_text(commit + "\n")
        assert f" {name}\n".encode() in (await said(advertised, repo) or b"")
        await asyncio.sleep(0.03 if number % 5 == 0 else 0)


async def test_clients_that_come_together_share_one_process(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    counted = Counted()

    assert len(set(await asyncio.gather(*(said(advertised, repo) for _ in range(10))))) == 1

    assert counted.since == {"started": 1}


async def test_what_is_too_long_for_memory_is_left_to_the_caller(
    advertised: Advertised, make_repo: NewRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    limit = Path(repo.git_dir, "packed-refs").stat().st_size
    monkeypatch.setattr(asking, "MAX_ANSWER", limit - 1)
    counted = Counted()
    assert await said(advertised, repo) is None
    assert counted.since == {}

    monkeypatch.setattr(asking, "MAX_ANSWER", limit)
    assert await said(advertised, repo) is None
    assert counted.since == {"started": 1}


async def test_a_short_answer_holds_nothing_of_a_longer_one_before(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    long, short = make_repo(), make_repo()
    healthy(long)
    [commit] = short.history(1, "refs/heads/main")

    for repo in (long, short):
        assert await said(advertised, repo) == by_git(repo)
    assert commit.encode() in by_git(short)
    assert len(by_git(short)) < len(by_git(long))


async def test_answers_made_at_the_same_time_do_not_mix(advertised: Advertised, make_repo: NewRepo) -> None:
    repos = [make_repo() for _ in range(4)]
    for number, repo in enumerate(repos):
        repo.history(number + 1, "refs/heads/main")

    found = await asyncio.gather(*(said(advertised, repo) for repo in repos))

    assert found == [by_git(repo) for repo in repos]
    assert len(set(found)) == len(repos)


async def test_lookups_are_counted(advertised: Advertised, make_repo: NewRepo) -> None:
    def now() -> list[float]:
        types = [inforef_cache_lookups.labels(kind)._value.get() for kind in ("hit", "miss", "err")]
        return [inforef_cache_attempts._value.get(), *types]

    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    before = now()

    await said(advertised, repo)
    await said(advertised, repo)
    Path(repo.git_dir, "refs/heads/just-now").write_text(repo.references()[b"refs/heads/main"] + "\n")
    await said(advertised, repo)

    assert [after - was for after, was in zip(now(), before, strict=True)] == [3, 1, 1, 1]


def test_git_tells_transports_with_state_apart_by_one_capability(make_repo: NewRepo) -> None:
    repo = make_repo()
    repo.history(1, "refs/heads/main")
    line = [GIT, "upload-pack", "--advertise-refs", repo.git_dir]

    without = subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=True).stdout

    assert b" no-done" in without
    assert b" no-done" not in by_git(repo, stateless=False)
