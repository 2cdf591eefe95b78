"""What is foreseen of a clone is what a real upload-pack does."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.fetch_request import FetchRequest, RequestReader
from gitaly_py.packs.foreseeing import MAX_WANTS, PREFIX, foreseen
from gitaly_py.packs.takeover import Takeovers
from tests.support.repositories import Repo
from tests.support.smarthttp import DELIM, FLUSH, pkt, wants

OPTIONS = ("thin-pack", "ofs-delta", "no-progress", "include-tag")


def request(
    *lines: str, headers: tuple[str, ...] = ("agent=git/2.39.5", "object-format=sha1")
) -> FetchRequest:
    data = pkt("command=fetch\n") + b"".join(map(pkt, headers)) + DELIM
    data += b"".join(pkt(f"{line}\n") for line in lines) + FLUSH
    found = RequestReader(2).receive(data)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "options",
    [chosen for count in range(5) for chosen in itertools.combinations(OPTIONS, count)],
    ids=lambda chosen: "+".join(chosen) or "none",
)
async def test_a_clone_is_foreseen_as_upload_pack_does_it(
    small: Repo, git: Git, takeovers: Takeovers, options: tuple[str, ...]
) -> None:
    commits = small.git("rev-list", "main").split()
    small.tag("v1", commits[3])
    tag = small.git("rev-parse", "refs/tags/v1")
    asked = request(*options, *(f"want {oid}" for oid in (commits[5], tag, commits[0], commits[5])), "done")
    found = foreseen(asked)
    assert found is not None

    command = Command(name="upload-pack", flags=["--stateless-rpc"], args=[small.path])
    with takeovers.expecting() as hook:
        env = {**hook.env, "GIT_PROTOCOL": "version=2"}
        async with git.start(
            GitRepository(small.path),
            command,
            config=hook.config,
            env=env,
            stdin=asked.data,
            stderr=Stderr.KEEP,
        ) as process:
            async with asyncio.timeout(20):
                arrival = await hook.arrived
            process.kill()
            prefix = await process.read()

    assert (found.args, found.stdin, PREFIX) == (arrival.args, arrival.stdin, prefix)
    assert found.wants == (commits[5].encode(), tag.encode(), commits[0].encode())


WANT = "want " + "1" * 40


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(WANT), id="not done"),
        pytest.param(request("done"), id="wants nothing"),
        pytest.param(request(WANT, "have " + "2" * 40, "done"), id="has something"),
        pytest.param(request(WANT, "deepen 1", "done"), id="shallow"),
        pytest.param(request(WANT, "shallow " + "2" * 40, "done"), id="from a shallow repository"),
        pytest.param(request(WANT, "filter blob:none", "done"), id="partial"),
        pytest.param(request(WANT, "sideband-all", "done"), id="unusual"),
        pytest.param(request("want-ref refs/heads/main", "done"), id="by name"),
        pytest.param(request("want main", "done"), id="no id"),
        pytest.param(request(WANT, "done", headers=("object-format=sha256",)), id="another format"),
        pytest.param(request(WANT, "done", headers=("server-option=x",)), id="a server option"),
        pytest.param(
            request(*(f"want {os.urandom(20).hex()}" for _ in range(MAX_WANTS + 1)), "done"), id="very much"
        ),
    ],
)
def test_anything_but_a_plain_clone_is_upload_packs_business(asked: FetchRequest) -> None:
    assert foreseen(asked) is None


def test_older_protocols_are_upload_packs_business() -> None:
    asked = RequestReader(0).receive(wants("1" * 40, capabilities="side-band-64k"))
    assert asked is not None
    assert foreseen(asked) is None
