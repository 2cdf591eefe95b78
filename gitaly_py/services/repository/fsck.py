"""Fsck: whether a repository is intact (repository.md)."""

from __future__ import annotations

from gitaly_py.git.commands import Command, Flag
from gitaly_py.git.process import Stderr
from gitaly_py.pb.repository_pb2 import FsckRequest, FsckResponse
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service


@service.rpc()
async def fsck(call: Call, request: FsckRequest) -> FsckResponse:
    """What git finds wrong, in its own words and order; nothing when it is satisfied.

    repo_only: looks at loose objects and at what references reach only, not at whole packs.
    """
    flags: list[Flag] = ["--no-progress", "--no-dangling"]
    if request.repo_only:
        flags.append("--no-full")
    command = Command(name="fsck", flags=flags)
    found = await call.app.git.run(call.repository.git, command, stderr=Stderr.MERGE)
    return FsckResponse(error=found.stdout if found.status != 0 else b"")
