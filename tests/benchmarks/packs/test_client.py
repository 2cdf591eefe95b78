"""The load client against a daemon: what it throws away must be what git sends."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.packs.calls import Broken
from benchmarks.packs.checking import take_in
from benchmarks.packs.client import LARGE_WINDOW, SMALL_WINDOW, Load, Outcome, perform
from benchmarks.packs.requests import SSH, Request, clone, everything, ls_refs
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.repositories import GIT, Repo
from tests.support.smarthttp import noisy

BYTES = 1_000_000


@pytest.fixture
def noise(new_repo: NewRepo) -> Repo:
    """A repository whose pack is larger than a small window."""
    repo = new_repo()
    noisy(repo, BYTES)
    return repo


def fetch_of(repo: Repo, **options: str) -> Request:
    """A clone of everything."""
    return clone(repo.message.relative_path, everything(repo), **options)


def answer_of(repo: Repo, request: Request) -> bytes:
    """What git's own upload-pack answers."""
    return subprocess.run(
        [GIT, "upload-pack", "--stateless-rpc", repo.path],
        input=request.body,
        env={"PATH": os.environ["PATH"], "GIT_PROTOCOL": "version=2"},
        capture_output=True,
        check=True,
    ).stdout


async def performed(daemon: Daemon, *requests: Request, **options: object) -> Outcome:
    """A load on the daemon's unix socket, which must not stop this process's loop."""
    load = replace(Load(f"unix:{daemon.socket}", requests), **options)
    return await asyncio.to_thread(perform, load)


@pytest.mark.parametrize("window", [SMALL_WINDOW, LARGE_WINDOW])
async def test_an_answer_that_is_kept_is_a_whole_clone(
    daemon: Daemon, noise: Repo, tmp_path: Path, window: int
) -> None:
    request = fetch_of(noise)

    outcome = await performed(daemon, request, window=window, keep=str(tmp_path))

    answer = (tmp_path / "0").read_bytes()
    take_in(answer, request, tmp_path / "clone.git")
    assert outcome.received == len(answer)


async def test_bytes_that_are_thrown_away_are_counted(daemon: Daemon, noise: Repo) -> None:
    requests = [fetch_of(noise), fetch_of(noise, path=SSH)] * 3

    outcome = await performed(daemon, *requests, clients=3, connections=1, window=SMALL_WINDOW)

    assert len(outcome.fetches) == len(requests)
    assert all(BYTES < fetch.received < 1.01 * BYTES for fetch in outcome.fetches)
    assert all(0 < fetch.first <= fetch.seconds for fetch in outcome.fetches)


async def test_references_are_counted_too(daemon: Daemon, noise: Repo) -> None:
    request = ls_refs(noise.message.relative_path)

    outcome = await performed(daemon, request)

    assert outcome.received == len(answer_of(noise, request))


@pytest.mark.parametrize("connections", [1, 3])
async def test_clients_that_hang_up_or_stall_leave_the_others_alone(
    daemon: Daemon, noise: Repo, connections: int
) -> None:
    whole = fetch_of(noise)
    requests = [replace(whole, leave=1), replace(whole, stall=1), whole]

    outcome = await performed(daemon, *requests, clients=3, connections=connections, window=SMALL_WINDOW)

    left, stalled, read = sorted(fetch.received for fetch in outcome.fetches)
    assert 0 < left <= stalled < BYTES < read


async def test_a_call_that_fails_is_an_error(daemon: Daemon) -> None:
    with pytest.raises(Broken, match="repository not found"):
        await performed(daemon, clone("not/there.git", ["1" * 40]))


async def test_the_bare_server_sends_its_file_for_each_byte(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(BYTES))
    line = [sys.executable, "-m", "benchmarks.packs.reference_server", str(file)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            load = Load(address, [Request("", b"", b"")] * 4, clients=2, bare=BYTES)
            outcome = await asyncio.to_thread(perform, load)
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            with socket.create_connection((host, int(port))) as client:
                client.sendall(b"\n")
                received = client.recv(BYTES, socket.MSG_WAITALL)
        finally:
            server.terminate()

    assert [fetch.received for fetch in outcome.fetches] == [BYTES] * 4
    assert received == file.read_bytes()
