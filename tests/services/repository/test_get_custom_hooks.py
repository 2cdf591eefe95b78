"""GetCustomHooks (storage-maintenance.md 7)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetCustomHooksRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Repo
from tests.support.status import collect
from tests.support.tars import contents, members, names, unpacked


async def hooks(stub: RepositoryServiceStub, repo: Repo) -> bytes:
    messages = await collect(stub.GetCustomHooks(GetCustomHooksRequest(repository=repo.message)))
    assert all(0 < len(message.data) <= 128 * 1024 for message in messages)
    return b"".join(message.data for message in messages)


async def test_a_repository_without_hooks_sends_nothing(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    assert await collect(repositories.GetCustomHooks(GetCustomHooksRequest(repository=repo.message))) == []


async def test_hooks_come_with_folders_links_and_modes(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path
) -> None:
    folder = Path(repo.path, "custom_hooks")
    (folder / "update.d").mkdir(parents=True)
    (folder / "update.d/check").write_bytes(b"#!/bin/sh\n")
    (folder / "update.d/check").chmod(0o500)
    (folder / os.fsdecode(b"caf\xe9")).write_bytes(b"no hook")
    (folder / "pre-receive").symlink_to("/nowhere/../at all")
    os.mkfifo(folder / "pipe")

    archive = await hooks(repositories, repo)

    assert names(archive) == [
        "custom_hooks/",
        "custom_hooks/caf\udce9",
        "custom_hooks/pre-receive",
        "custom_hooks/update.d/",
        "custom_hooks/update.d/check",
    ]
    modes = [found.mode for found in members(archive)]
    assert modes == [0o777, 0o666, 0o777, 0o777, 0o777]
    assert contents(archive) == {
        "custom_hooks/caf\udce9": b"no hook",
        "custom_hooks/update.d/check": b"#!/bin/sh\n",
    }
    copy = unpacked(archive, tmp_path / "copy")
    assert os.readlink(copy / "custom_hooks/pre-receive") == "/nowhere/../at all"
    assert os.access(copy / "custom_hooks/update.d/check", os.X_OK)


async def test_an_empty_folder_is_sent_as_such(repositories: RepositoryServiceStub, repo: Repo) -> None:
    Path(repo.path, "custom_hooks").mkdir()

    assert names(await hooks(repositories, repo)) == ["custom_hooks/"]


async def test_a_link_is_not_followed(
    repositories: RepositoryServiceStub, repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "update").write_bytes(b"elsewhere")
    Path(repo.path, "custom_hooks").symlink_to(tmp_path)

    (found,) = members(await hooks(repositories, repo))

    assert (found.name, found.linkname, found.issym()) == ("custom_hooks", str(tmp_path), True)


async def test_a_large_hook_comes_in_pieces(repositories: RepositoryServiceStub, repo: Repo) -> None:
    data = os.urandom(1024 * 1024)
    Path(repo.path, "custom_hooks").mkdir()
    Path(repo.path, "custom_hooks/update").write_bytes(data)

    assert contents(await hooks(repositories, repo)) == {"custom_hooks/update": data}


async def test_hooks_that_cannot_be_read_are_an_error(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    folder = os.open(repo.path, os.O_RDONLY)
    for name in ["custom_hooks"] + ["d" * 250] * 17:  # together longer than a path may be
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await hooks(repositories, repo)
    subprocess.run(["rm", "-r", f"{repo.path}/custom_hooks"], check=True)

    assert raised.value.code() == StatusCode.INTERNAL
    text = raised.value.details() or ""
    assert text.startswith(f"reading custom hooks: lstat {repo.path}/custom_hooks/ddd")
    assert text.endswith("... (truncated)")
