"""The packObjectsHook of real upload-packs, which reports to a real server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git, Process, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.hooks.program import pack_objects as program
from gitaly_py.packs.takeover import Arrival, Expected, Takeovers
from tests.support.fetches import pack_in
from tests.support.repositories import Repo
from tests.support.smarthttp import pkt, wants

SIDE_BAND = "side-band-64k ofs-delta no-progress"


@pytest.fixture
def history(tmp_path: Path) -> Repo:
    repo = Repo.init(tmp_path / "repo.git")
    repo.history(3, "refs/heads/main")
    return repo


@asynccontextmanager
async def upload_pack(git: Git, repo: Repo, hook: Expected, body: bytes) -> AsyncIterator[Process]:
    command = Command(name="upload-pack", flags=["--stateless-rpc"], args=[repo.path])
    async with git.start(
        GitRepository(repo.path), command, config=hook.config, env=hook.env, stdin=body, stderr=Stderr.KEEP
    ) as process:
        yield process


async def everything(process: Process) -> bytes:
    parts = []
    while data := await process.read():
        parts.append(data)
    return b"".join(parts)


def clone(repo: Repo) -> bytes:
    return wants(repo.git("rev-parse", "main"), capabilities=SIDE_BAND)


async def arrival_of(hook: Expected) -> Arrival:
    async with asyncio.timeout(20):
        return await hook.arrived


async def test_a_hook_says_what_is_wanted(takeovers: Takeovers, git: Git, history: Repo) -> None:
    commits = history.git("rev-list", "main").split()
    body = wants(commits[0], haves=commits[1:2], capabilities=SIDE_BAND + " thin-pack")
    with takeovers.expecting() as hook:
        async with upload_pack(git, history, hook, body):
            arrival = await arrival_of(hook)
    assert arrival.args[0] == "pack-objects"
    assert {"--revs", "--thin", "--stdout", "--delta-base-offset"} <= set(arrival.args)
    assert arrival.stdin.decode().split() == [commits[0], "--not", commits[1]]


async def test_what_comes_before_the_pack_can_be_read_when_all_have_been_ended(
    takeovers: Takeovers, git: Git, history: Repo
) -> None:
    with takeovers.expecting() as hook:
        async with upload_pack(git, history, hook, clone(history)) as process:
            await arrival_of(hook)
            process.kill()
            assert await everything(process) == b"0008NAK\n"
            assert await process.exited() == -9


async def test_a_hook_that_is_told_so_lets_git_make_the_pack(
    takeovers: Takeovers, git: Git, history: Repo
) -> None:
    with takeovers.expecting() as hook:
        async with upload_pack(git, history, hook, clone(history)) as process:
            (await arrival_of(hook)).run()
            answer = await everything(process)
            assert await process.exited() == 0
    by_itself = history.git_bytes("upload-pack", "--stateless-rpc", history.path, stdin=clone(history))
    # Where a stream is cut into packets is up to the moment.
    assert (answer[:8], pack_in(answer[8:])) == (b"0008NAK\n", pack_in(by_itself[8:]))


async def test_a_hook_that_is_refused_fails_the_fetch(takeovers: Takeovers, git: Git, history: Repo) -> None:
    with takeovers.expecting() as hook:
        async with upload_pack(git, history, hook, clone(history)) as process:
            (await arrival_of(hook)).refuse(b"not today\n")
            answer = await everything(process)
            assert await process.exited() == 128
    assert pkt(b"\x02error executing git hook\nnot today\n") in answer
    assert b"\x03aborting due to possible repository corruption on the remote side." in answer


@pytest.mark.parametrize("spoil", [lambda hook: hook.env.update({program.TOKEN_VARIABLE: "x"}), None])
async def test_a_hook_that_nobody_wants_to_hear_gives_up(
    takeovers: Takeovers, git: Git, history: Repo, spoil: Callable[[Expected], None] | None
) -> None:
    with takeovers.expecting() as hook:
        if spoil is None:
            await takeovers.close()
        else:
            spoil(hook)
        async with upload_pack(git, history, hook, clone(history)) as process:
            assert b"error executing git hook" in await everything(process)
            assert await process.exited() == 128
        assert not hook.arrived.done()


async def test_a_hook_gives_up_when_the_daemon_goes_away(
    takeovers: Takeovers, git: Git, history: Repo
) -> None:
    with takeovers.expecting() as hook:
        async with upload_pack(git, history, hook, clone(history)) as process:
            await arrival_of(hook)
            await takeovers.close()
            assert b"error executing git hook" in await everything(process)
            assert await process.exited() == 128


def test_the_program_needs_next_to_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules); sys.argv = ['x']\n"
        f"exec(open({program.__file__!r}).read().partition('if __name__')[0])\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    output = subprocess.run(["python3", "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["_socket"]


async def test_what_speaks_another_protocol_is_let_go(takeovers: Takeovers, runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(runtime / "sock.d" / "packs"))
        client.sendall(b"\xff\xff\xff\xffGET / HTTP/1.1")
        client.setblocking(False)
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 20) == b""
