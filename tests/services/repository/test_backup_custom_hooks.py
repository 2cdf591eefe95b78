"""BackupCustomHooks (storage-maintenance.md 7)."""

from __future__ import annotations

from pathlib import Path

from gitaly_py.pb.repository_pb2 import BackupCustomHooksRequest, GetCustomHooksRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Repo
from tests.support.status import collect
from tests.support.tars import contents


async def test_it_sends_what_get_custom_hooks_sends(repositories: RepositoryServiceStub, repo: Repo) -> None:
    assert (
        await collect(repositories.BackupCustomHooks(BackupCustomHooksRequest(repository=repo.message))) == []
    )
    (Path(repo.path, "custom_hooks")).mkdir()
    Path(repo.path, "custom_hooks/update").write_bytes(b"hook")

    backup = await collect(repositories.BackupCustomHooks(BackupCustomHooksRequest(repository=repo.message)))
    got = await collect(repositories.GetCustomHooks(GetCustomHooksRequest(repository=repo.message)))

    archive = b"".join(message.data for message in backup)
    assert archive == b"".join(message.data for message in got)
    assert contents(archive) == {"custom_hooks/update": b"hook"}
