"""Nice values: the daemon first, git that makes packs next, the rest of git last."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitaly_py.git.commands import Command
from gitaly_py.git.priority import come_first, companion
from gitaly_py.git.process import PIPE, Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.spawning import Program, spawn
from tests.support.priority import USUAL, first, in_a_thread, nice
from tests.support.repositories import GIT

CAT_FILE = Command(name="cat-file", flags=["--batch"])
PACK_OBJECTS = Command(name="pack-objects", flags=["--stdout"])


async def nice_values() -> dict[str, int]:
    """Those of two git processes as long as they run."""
    found = {}
    git = Git(GitSettings(binary=GIT))
    for command in (CAT_FILE, PACK_OBJECTS):
        async with git.start(None, command, stdin=PIPE) as process:
            found[command.name] = nice(process.pid)
    return found


def test_git_comes_after_the_daemon_but_for_packs() -> None:
    own = nice()

    assert asyncio.run(nice_values()) == {"cat-file": min(own + 5, 19), "pack-objects": own}


def test_threads_come_first_where_the_one_that_begins_them_does() -> None:
    def body() -> tuple[int, int]:
        with ThreadPoolExecutor(1, initializer=companion()) as usual:
            before = usual.submit(nice).result()
        come_first()
        with ThreadPoolExecutor(1, initializer=companion()) as ahead:
            return before, ahead.submit(nice).result()

    assert in_a_thread(body) == (USUAL, first())


def test_git_that_makes_packs_comes_between_one_that_comes_first_and_the_rest_of_git() -> None:
    def body() -> dict[str, int]:
        come_first()
        assert nice() == first()
        return asyncio.run(nice_values())

    assert in_a_thread(body) == {"cat-file": min(USUAL + 5, 19), "pack-objects": min(first() + 5, USUAL)}


def test_what_one_that_comes_first_starts_is_none_from_its_first_instruction_on() -> None:
    def body() -> bytes:
        come_first()
        reading, writing = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        pid = spawn(Program([b"/usr/bin/nice"], {}, (null, writing, null)))
        os.close(null)
        os.close(writing)
        with os.fdopen(reading, "rb") as output:
            told = output.read()
        os.waitpid(pid, 0)
        return told

    assert int(in_a_thread(body)) == USUAL


@pytest.mark.parametrize("refused", ["setpriority", "sched_setscheduler"])
def test_the_daemon_and_git_run_where_priorities_may_not_be_set(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, refused, refuse)

    def body() -> dict[str, int]:
        come_first()
        return asyncio.run(nice_values())

    kept = refused == "setpriority"
    packs = USUAL if kept else min(first() + 5, USUAL)
    assert in_a_thread(body) == {"cat-file": USUAL if kept else USUAL + 5, "pack-objects": packs}
