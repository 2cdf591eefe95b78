"""The detecting child process, which is what it is only as a process of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gitaly_py.detection.builtin.child import Child, detecting
from gitaly_py.detection.errors import DetectorEnded
from gitaly_py.git.errors import CommandFailed
from gitaly_py.git.process import Git

PLAIN = b"----"


@pytest_asyncio.fixture
async def child() -> AsyncIterator[Child]:
    git = Git()
    async with detecting(git) as running:
        yield running
    await git.close()


async def test_one_child_answers_many_questions(child: Child) -> None:
    assert await child.ask(b"paths", [b"docs/a.rb", PLAIN, b"a.rb", PLAIN]) == [b"", b"\0"]
    assert await child.ask(b"samples", [b"a.rb", PLAIN, b"x", b"\xff.go", PLAIN, b""]) == [b"Ruby", b"Go"]
    assert list(map(json.loads, await child.ask(b"languages", [b"Ruby", b"\xff"]))) == [
        [326, "#701516"],
        None,
    ]
    assert await child.ask(b"license", [b"LICENSE\xff", b"\xff"]) == []
    assert await child.ask(b"paths", []) == []


async def test_large_questions_and_answers_pass(child: Child) -> None:
    samples = [field for number in range(256) for field in (b"%d.c" % number, PLAIN, b"x" * 16_384)]

    assert await child.ask(b"samples", samples) == [b"C"] * 256


async def test_a_child_that_fails_tells_why(child: Child) -> None:
    with pytest.raises(CommandFailed) as raised:
        await child.ask(b"nonsense", [])

    assert b"KeyError" in raised.value.stderr


async def test_a_child_that_ends_is_no_answer(child: Child) -> None:
    stdin = child._process.stdin
    assert stdin is not None
    stdin.close()

    with pytest.raises(DetectorEnded):
        await child.ask(b"paths", [b"a.rb", PLAIN])


async def test_content_that_makes_patterns_slow_is_not_looked_at(child: Child) -> None:
    # The rules for GAP go over all blanks from each of them on.
    slow = [b"a.gd", PLAIN, b"\n" * 16_384]

    assert await child.ask(b"samples", [*slow, b"b.rb", PLAIN, b"x", *slow]) == [
        b"GAP",
        b"Ruby",
        b"GAP",
    ]
