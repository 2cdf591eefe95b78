"""What handlers reach of the daemon, and the names they use for the frame's types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gitaly_py.config import Config
from gitaly_py.detection.interface import LicenseMatcher
from gitaly_py.detection.statistics import LanguageStatistics
from gitaly_py.git.process import Git
from gitaly_py.hooks.server import HookServer
from gitaly_py.hooks.smudge import LfsSmudge
from gitaly_py.packs.advertising.advertiser import Advertiser
from gitaly_py.packs.cache import Packs
from gitaly_py.packs.limiting import PackLimits
from gitaly_py.packs.plans import Plans
from gitaly_py.packs.takeover import Takeovers
from gitaly_py.rpc import call
from gitaly_py.services.serving import ServingState
from gitaly_py.storage.generations import Generations
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.transport.connections import Connections


@dataclass(frozen=True)
class App:
    """The parts of the daemon that handlers use.

    version: what the daemon calls itself; git: the one way to run git; storages: where repositories
    are; connections: the client connections, for side channels; hooks: what pushes are wired to;
    lfs: puts LFS objects into what git writes; health: whether the daemon serves; pack_limits: who may
    generate packs; packs: the pack cache; plans, takeovers: see services/fetching; generations: when
    objects were removed; advertiser: tells clients of references; languages, licenses: detect what
    repositories are written in, and what they are licensed under.
    """

    version: str
    config: Config
    git: Git
    storages: Storages
    connections: Connections
    hooks: HookServer
    lfs: LfsSmudge
    health: ServingState
    pack_limits: PackLimits
    packs: Packs
    plans: Plans
    takeovers: Takeovers
    generations: Generations
    advertiser: Advertiser
    languages: LanguageStatistics
    licenses: LicenseMatcher


Call: TypeAlias = call.Call[App, Repository]
