"""ls-refs over HTTP: git's own answer, and mostly without git."""

from __future__ import annotations

from typing import Any

import pytest

from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.advertising import EVERYTHING, USUAL, listed_by_git, ls_refs_request
from tests.support.daemon import Daemon
from tests.support.referenced import broken, detached, healthy, unborn
from tests.support.repositories import Repo
from tests.support.smarthttp import fetch_with, sending
from tests.support.stamps import settle_all


async def listed(
    connection: MultiplexedConnection, repo: Repo, request: bytes, *metadata: tuple[str, str]
) -> bytes:
    message = PostUploadPackWithSidechannelRequest(repository=repo.message, git_protocol="version=2")
    fetched = await fetch_with(connection, message, sending(request), *metadata)
    assert fetched.error is None
    return fetched.answer


@pytest.mark.parametrize("fill", [healthy, detached, unborn, broken], ids=lambda fill: fill.__name__)
async def test_an_answer_is_gits_own(connection: MultiplexedConnection, repo: Repo, fill: Any) -> None:
    fill(repo)

    for arguments in (USUAL, EVERYTHING):
        expected = listed_by_git(repo, arguments).stdout
        for _ in range(2):
            assert await listed(connection, repo, ls_refs_request(arguments)) == expected


async def test_references_are_listed_without_a_process(
    daemon: Daemon, connection: MultiplexedConnection, repo: Repo
) -> None:
    healthy(repo)
    settle_all(repo.git_dir)

    for call_id in ("list-first", "list-again"):
        metadata = ("x-gitlab-correlation-id", call_id)
        assert await listed(connection, repo, ls_refs_request(USUAL), metadata) == listed_by_git(repo).stdout
        entry = await daemon.access_entry("PostUploadPackWithSidechannel", correlation_id=call_id)
        assert "command.count" not in entry
