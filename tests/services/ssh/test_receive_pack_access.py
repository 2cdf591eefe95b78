"""Pushes over ssh to a daemon that asks Rails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.rails import SECRET, Answer, Rails, running_rails
from tests.support.repositories import Repo
from tests.support.smarthttp import creation, report
from tests.support.ssh import banded, push_over_ssh, reported

BANDS = "report-status side-band-64k"


@pytest_asyncio.fixture(scope="module")
async def rails() -> AsyncIterator[Rails]:
    async with running_rails() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def governed(
    rails: Rails, tmp_path_factory: pytest.TempPathFactory, engine: str
) -> AsyncIterator[Daemon]:
    """A daemon that asks Rails before it takes a push."""
    root = tmp_path_factory.mktemp("governed")
    (root / "secret").write_bytes(SECRET)
    tables = f'[gitlab]\nurl = "{rails.url}"\nsecret_file = "{root}/secret"\n'
    started = Daemon(root, engine=engine, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


async def test_rails_is_asked_with_the_facts_of_the_push(
    governed: Daemon, rails: Rails, tmp_path: Path
) -> None:
    repo = repository_in(governed.storage)
    oid, body = creation(repo, Repo.init(tmp_path / "s"))
    rails.requests.clear()

    pushed = await push_over_ssh(governed.channel, repo, body, gl_id="key-31")

    assert reported(pushed) == ["unpack ok", "ok refs/heads/main"]
    assert [request.path for request in rails.requests] == ["/allowed", "/pre_receive", "/post_receive"]
    allowed = rails.asked("/allowed")[0]
    changes = f"{'0' * 40} {oid} refs/heads/main\n"
    facts = (allowed.body["changes"], allowed.body["key_id"], allowed.body["protocol"])
    assert facts == (changes, "31", "ssh")
    assert (allowed.body["gl_repository"], allowed.headers["X-Forwarded-For"]) == ("project-1", "10.1.2.3")


async def test_a_push_that_rails_denies_is_refused_in_band(
    governed: Daemon, rails: Rails, tmp_path: Path
) -> None:
    repo = repository_in(governed.storage)
    _, body = creation(repo, Repo.init(tmp_path / "s"), capabilities=BANDS)
    rails.answers["/allowed"] = Answer({"status": False, "message": "not on a Friday"})
    try:
        pushed = await push_over_ssh(governed.channel, repo, body)
    finally:
        rails.answers["/allowed"] = Answer({"status": True})

    assert report(banded(pushed)[1]) == ["unpack ok", "ng refs/heads/main pre-receive hook declined"]
    assert banded(pushed)[2].strip() == b"GitLab: not on a Friday"
    assert repo.references() == {}
