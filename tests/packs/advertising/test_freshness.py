"""No answer is older than what was complete when it was asked for, however fast things change."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packs.advertising.conftest import NewRepo
from tests.support.advertising import EVERYTHING, USUAL, Advertised, Counted, listed_by_git
from tests.support.referenced import many
from tests.support.repositories import Repo
from tests.support.stamps import settle_all

PAUSES = (0.0, 0.0, 0.002, 0.03)
"""Seconds: within a tick of the file system's clock, about one, and so long that answers are kept."""


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def renamed(path: Path, text: str) -> None:
    other = path.with_name("x.lock")
    other.write_text(text)
    os.replace(other, path)


def made_anew(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


WAYS = pytest.mark.parametrize("write", [in_place, renamed, made_anew])


@WAYS
@pytest.mark.parametrize("file", ["refs/heads/main", "refs/heads/a/b", "packed-refs", "HEAD"])
async def test_a_file_written_over_and_over_is_always_read(
    advertised: Advertised, make_repo: NewRepo, write: Callable[[Path, str], None], file: str
) -> None:
    repo = make_repo()
    commits = repo.history(5, "refs/heads/main")
    repo.ref("refs/heads/a/b", commits[0])
    text = {
        "packed-refs": "# pack-refs with: peeled fully-peeled sorted \n%s refs/heads/packed\n",
        "HEAD": "ref: refs/heads/%s\n",
    }.get(file, "%s\n")
    path = Path(repo.git_dir, file)
    path.write_text(text % commits[0])
    draw = random.Random(file)

    for number in range(60):
        value = f"branch-{number}" if file == "HEAD" else commits[number % 5]
        write(path, text % value)
        answer = await advertised.listed(repo, EVERYTHING)
        assert answer is not None
        assert value.encode() in b"".join(line for line in answer.split(b"\n") if _is_of(line, file))
        await asyncio.sleep(draw.choice(PAUSES))


def _is_of(line: bytes, file: str) -> bool:
    """Whether a line shows what a file says, and no other."""
    name = {"packed-refs": "refs/heads/packed"}.get(file, file)
    return f" {name}".encode() in line


async def test_whatever_git_does_is_seen_at_once(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    commits = repo.history(4, "refs/heads/main")
    repo.ref("refs/heads/0", commits[0])
    draw = random.Random(1)
    steps: list[Callable[[], object]] = [
        lambda: repo.ref(f"refs/heads/{draw.randrange(4)}", draw.choice(commits)),
        lambda: repo.ref(f"refs/heads/x/{draw.randrange(4)}", draw.choice(commits)),
        lambda: repo.tag(f"v{draw.randrange(4)}", draw.choice(commits)),
        lambda: repo.git("update-ref", "-d", f"refs/heads/{draw.randrange(4)}"),
        lambda: repo.git("update-ref", "-d", f"refs/tags/v{draw.randrange(4)}"),
        lambda: repo.git("pack-refs", "--all"),
        lambda: repo.git("pack-refs", "--all", "--no-prune"),
        lambda: repo.symref("HEAD", f"refs/heads/{draw.randrange(4)}"),
        lambda: repo.symref("refs/heads/symbolic", f"refs/heads/{draw.randrange(4)}"),
        lambda: repo.symref("refs/tags/symbolic", "refs/heads/x/0"),
        lambda: repo.git("branch", "-M", "main", "renamed"),
        lambda: repo.git("branch", "-M", "renamed", "main"),
    ]
    counted = Counted()

    for number in range(120):
        if number % 3:
            try_(draw.choice(steps))
            await asyncio.sleep(draw.choice(PAUSES))
        request = draw.choice([USUAL, EVERYTHING, ("peel", "ref-prefix refs/tags/")])
        assert await advertised.listed(repo, request) == listed_by_git(repo, request).stdout

    assert counted.since["memory"] > 10


def try_(step: Callable[[], object]) -> None:
    """Some steps have nothing to do at times."""
    with contextlib.suppress(subprocess.CalledProcessError):
        step()


async def test_who_waits_for_an_answer_on_its_way_gets_none_that_is_older_than_its_question(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    many(repo)
    commit = repo.references()[b"refs/heads/new-1"]
    settle_all(repo.git_dir)

    for number in range(10):
        asked = [asyncio.ensure_future(advertised.listed(repo)) for _ in range(3)]
        for _ in range(number):
            await asyncio.sleep(0)
        name = f"refs/heads/created-{number}"
        Path(repo.git_dir, name).write_text(commit + "\n")
        assert name.encode() in (await advertised.listed(repo) or b"")
        await asyncio.gather(*asked)
        await asyncio.sleep(0.03)


async def test_a_repository_in_the_place_of_another_is_a_new_one(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    first, second = make_repo(), make_repo()
    for repo in (first, second):
        repo.history(1, "refs/heads/main")
        settle_all(repo.git_dir)
    second.ref("refs/heads/other", second.references()[b"refs/heads/main"])
    settle_all(second.git_dir)
    await advertised.listed(first)

    Path(first.path).rename(first.path + ".old")
    Path(second.path).rename(first.path)

    assert await advertised.listed(first) == listed_by_git(first).stdout
    assert Repo.at(first.path).references().keys() == {b"refs/heads/main", b"refs/heads/other"}


async def test_links_never_lead_to_an_old_answer(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    commits = repo.history(2, "refs/heads/main")
    heads, elsewhere = Path(repo.git_dir, "refs/heads"), Path(repo.git_dir, "elsewhere")
    heads.rename(elsewhere)
    heads.symlink_to("../elsewhere")
    (elsewhere / "link").symlink_to("../file")
    file = Path(repo.git_dir, "file")

    for number in range(20):
        file.write_text(commits[number % 2] + "\n")
        (elsewhere / "main").write_text(commits[number % 2] + "\n")
        assert await advertised.listed(repo) == listed_by_git(repo).stdout
        await asyncio.sleep(0.03 if number % 4 == 0 else 0)
