"""The id of a call, from its metadata to everything that the call starts (daemon.md 4.2)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from gitaly_py.interceptors.correlation import MAX_LENGTH
from gitaly_py.pb.repository_pb2 import RepositoryExistsRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.pushes import eventually, install
from tests.support.rails import SECRET, Rails, running_rails
from tests.support.repositories import Repo
from tests.support.smarthttp import begin_push, creation
from tests.support.status import collect

KEY = "x-gitlab-correlation-id"
GENERATED = re.compile("[0-9a-f]{32}")


@pytest.fixture
async def rails() -> AsyncIterator[Rails]:
    async with running_rails() as double:
        yield double


@pytest.fixture
async def pushed_to(
    tmp_path_factory: pytest.TempPathFactory, rails: Rails, engine: str
) -> AsyncIterator[Daemon]:
    """A daemon that asks `rails`."""
    tables = f'[gitlab]\nurl = "{rails.url}"\nsecret = "{SECRET.decode()}"\n'
    started = Daemon(tmp_path_factory.mktemp("gitaly"), engine=engine, tables=tables).start()
    yield started
    await started.close_channel()
    assert await asyncio.to_thread(started.stop) == 0


async def logged_id(daemon: Daemon, repo: Repo, *values: str) -> str:
    """The id in the log of a call that was made with these ids."""
    request = RepositoryExistsRequest(repository=repo.message)
    metadata = [(KEY, value) for value in values]
    await daemon.stub(RepositoryServiceStub).RepositoryExists(request, metadata=metadata)
    path = {"grpc.request.repoPath": repo.message.relative_path}
    logged: str = (await daemon.access_entry("RepositoryExists", **path))["correlation_id"]
    return logged


@pytest.mark.parametrize("value", ["abc", "01HX: with spaces, and ~!@#$%", "x" * MAX_LENGTH])
async def test_the_id_of_the_client_is_used(daemon: Daemon, repo: Repo, value: str) -> None:
    assert await logged_id(daemon, repo, value) == value


async def test_of_several_ids_the_first_is_used(daemon: Daemon, repo: Repo) -> None:
    assert await logged_id(daemon, repo, "one", "two") == "one"


@pytest.mark.parametrize(
    "values", [(), ("",), ("x" * (MAX_LENGTH + 1),)], ids=["absent", "empty", "too long"]
)
async def test_an_id_is_made_where_there_is_none_to_be_used(
    daemon: Daemon, repo: Repo, values: tuple[str, ...]
) -> None:
    first = await logged_id(daemon, repo, *values)
    other = await logged_id(daemon, repository_in(daemon.storage), *values)

    assert GENERATED.fullmatch(first)
    assert GENERATED.fullmatch(other)
    assert first != other


@pytest.mark.parametrize("given", ["id-of-this-push", ""], ids=["given", "made"])
async def test_a_push_carries_one_id_to_git_hooks_and_rails(
    pushed_to: Daemon, rails: Rails, tmp_path: Path, given: str
) -> None:
    repo = repository_in(pushed_to.storage)
    environment, goes_on = tmp_path / "environment", tmp_path / "goes-on"
    os.mkfifo(goes_on)
    install(
        Path(repo.path, "custom_hooks", "pre-receive"),
        f"env >{environment}.new; mv {environment}.new {environment}; read _ <{goes_on}",
    )
    _, body = creation(repo, Repo.init(tmp_path / "source"))
    metadata = [(KEY, given)] if given else []
    async with asyncio.TaskGroup() as tasks:
        push = tasks.create_task(collect(begin_push(pushed_to.channel, repo, [body], metadata=metadata)))
        await eventually(environment.exists)
        running = {name: _environments(pushed_to, name) for name in ("receive-pack", "/pre-receive")}
        await asyncio.to_thread(goes_on.write_text, "\n")
        await push

    entry = await pushed_to.access_entry("PostReceivePack")
    correlation_id = entry["correlation_id"]
    assert correlation_id == given or (not given and GENERATED.fullmatch(correlation_id))
    for name, environments in running.items():
        assert environments, name
        assert {each.get("CORRELATION_ID") for each in environments} == {correlation_id}, name
    assert len(rails.requests) == 3
    assert {request.headers["X-Request-ID"] for request in rails.requests} == {correlation_id}
    # What a custom hook sees is fixed, and the id is not part of it (transport.md 10).
    assert "CORRELATION_ID" not in environment.read_text()


def _environments(daemon: Daemon, name: str) -> list[dict[str, str]]:
    """The environments of the daemon's processes, not custom hooks, whose command line has `name` in it."""
    found = []
    for child in psutil.Process(daemon.pid).children(recursive=True):
        # One that has ended meanwhile is none of those that run.
        with contextlib.suppress(psutil.NoSuchProcess):
            line = child.cmdline()
            if any(part.endswith(name) for part in line) and not any("custom_hooks" in part for part in line):
                found.append(child.environ())
    return found
