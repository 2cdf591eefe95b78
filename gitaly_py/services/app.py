"""What handlers reach of the daemon, and the names they use for the frame's types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gitaly_py.config import Config
from gitaly_py.git.process import Git
from gitaly_py.hooks.server import HookServer
from gitaly_py.hooks.smudge import LfsSmudge
from gitaly_py.rpc import call
from gitaly_py.services.serving import ServingState
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.transport.connections import Connections


@dataclass(frozen=True)
class App:
    """The parts of the daemon that handlers use.

    version: what the daemon calls itself; git: the one way to run git; storages: where repositories
    are; connections: the client connections, for side channels; hooks: what pushes are wired to;
    lfs: puts LFS objects into what git writes; health: whether the daemon serves.
    """

    version: str
    config: Config
    git: Git
    storages: Storages
    connections: Connections
    hooks: HookServer
    lfs: LfsSmudge
    health: ServingState


Call: TypeAlias = call.Call[App, Repository]
