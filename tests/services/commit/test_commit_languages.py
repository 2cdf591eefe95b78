"""CommitService/CommitLanguages (commit.md 4)."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import CommitLanguagesRequest, CommitLanguagesResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import refused

Languages = list[CommitLanguagesResponse.Language]


async def languages_of(
    daemon: Daemon, repo: Repo, revision: bytes | str = b"main", **repository: Any
) -> Languages:
    name = revision.encode() if isinstance(revision, str) else revision
    request = CommitLanguagesRequest(repository=repo.message, revision=name)
    for field, value in repository.items():
        (setattr if isinstance(value, str) else _extend)(request.repository, field, value)
    response = await daemon.stub(CommitServiceStub).CommitLanguages(request)
    return list(response.languages)


def _extend(message: Any, field: str, values: list[str]) -> None:
    getattr(message, field).extend(values)


async def bytes_of(daemon: Daemon, repo: Repo, revision: bytes | str = b"main") -> dict[str, int]:
    return {language.name: language.bytes for language in await languages_of(daemon, repo, revision)}


async def counted(daemon: Daemon, repo: Repo, files: Mapping[str | bytes, Entry]) -> dict[str, int]:
    """Bytes by language of a fresh commit on main."""
    repo.commit("x\n", files, ref="refs/heads/main")
    return await bytes_of(daemon, repo)


async def test_smoke(daemon: Daemon, any_format_repo: Repo) -> None:
    got = await counted(daemon, any_format_repo, {"a.rb": b"puts 1\n", "b.java": b"class B {}\n", "README.md": b"# hi\n", "c.msg": b"message Foo\n{\n}\n"})
    assert got == {"Ruby": 7, "Java": 11, "OMNeT++ MSG": 16}
