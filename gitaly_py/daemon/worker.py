"""One worker: everything that serves calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gitaly_py import __version__
from gitaly_py.daemon import parts
from gitaly_py.daemon.board import Board
from gitaly_py.daemon.endpoint import Endpoint
from gitaly_py.daemon.memory import SpareMemory
from gitaly_py.daemon.workers.messages import Orders
from gitaly_py.detection.builtin.languages import BuiltInLanguages
from gitaly_py.detection.builtin.licenses import BuiltInLicenses
from gitaly_py.detection.statistics import LanguageStatistics
from gitaly_py.git.reading.cache import Readers
from gitaly_py.hooks.smudge import LfsSmudge
from gitaly_py.interceptors import steps
from gitaly_py.interceptors.access_log import LoggedMethods
from gitaly_py.interceptors.authentication import Tokens
from gitaly_py.interceptors.limits import RpcLimits
from gitaly_py.interceptors.server_metrics import register
from gitaly_py.limits.making import Limiters
from gitaly_py.limits.remote import RemoteDesk
from gitaly_py.limits.state import LimiterState
from gitaly_py.packs.advertising.advertiser import Advertiser
from gitaly_py.packs.cache import Packs
from gitaly_py.packs.leases.client import Leases
from gitaly_py.packs.limiting import PackLimits
from gitaly_py.packs.plans import Plans
from gitaly_py.packs.settings import PackCacheSettings
from gitaly_py.packs.takeover import Takeovers
from gitaly_py.rpc.adapter import Frame
from gitaly_py.rpc.methods import all_methods
from gitaly_py.services import registry
from gitaly_py.services.app import App
from gitaly_py.services.codes import CODES
from gitaly_py.services.resolving import resolve
from gitaly_py.services.serving import ServingState
from gitaly_py.storage.generations import Generations
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.listeners import Listener


class Worker:
    """Serves the external listeners and, for the daemon's own children, the internal one.

    board: what workers share. desk: the limiters of all of them. leases: their packs. Raises the error of
    whatever can't be made.
    """

    def __init__(self, orders: Orders, board: Board, desk: RemoteDesk, leases: Leases) -> None:
        config, number = orders.config, orders.number
        self._git = parts.git(config, orders.supervisor)
        self._readers = Readers(self._git, processes=config.git.catfile_cache_size)
        self._api = parts.internal_api(config)
        self._hooks = parts.hooks(config, self._git, self._api, orders.runtime, number)
        self._limiters = Limiters(desk, shared=orders.workers > 1)
        generations = Generations(board.generations(number))
        kept = PackCacheSettings.of(config.pack_objects_cache, workers=orders.workers)
        shared = leases if orders.workers > 1 else None
        self._packs = Packs(self._git, kept, generations, leases=shared)
        self._takeovers = Takeovers(orders.runtime, self._git.binary, socket_name=f"p{number}")
        self._health = ServingState()
        self._connections = Connections()
        self._frame: Frame[App, Repository] = Frame(
            App(
                version=__version__,
                config=config,
                git=self._git,
                storages=Storages({storage.name: storage.path for storage in config.storage}, self._readers),
                connections=self._connections,
                hooks=self._hooks,
                lfs=LfsSmudge(self._api, orders.runtime),
                health=self._health,
                pack_limits=PackLimits(config.pack_objects_limiting, self._limiters),
                packs=self._packs,
                plans=Plans(),
                takeovers=self._takeovers,
                generations=generations,
                advertiser=Advertiser(self._git),
                languages=LanguageStatistics(BuiltInLanguages(self._git)),
                licenses=BuiltInLicenses(self._git),
            ),
            services=registry(),
            steps=steps(
                Tokens(config.auth.secret.encode(), config.auth.transitioning),
                LoggedMethods.from_environment(),
                RpcLimits(config.concurrency, self._limiters),
            ),
            resolve=resolve,
            codes=CODES,
        )
        sockets = Path(orders.runtime, "sock.d")
        share = board.share(orders.place)
        self._external = Endpoint(self._frame, config.rpc, sockets / f"e{number}", self._connections, share)
        self._internal = Endpoint(self._frame, config.rpc, sockets / f"i{number}", self._connections)
        self._memory = SpareMemory(lambda: self._external.ended)

    @property
    def connections(self) -> int:
        """Connections now."""
        return len(self._connections)

    @property
    def git_version(self) -> str:
        """Of the git that is run."""
        return self._git.version

    def limiters(self) -> list[LimiterState]:
        """The limiters of this worker alone."""
        return self._limiters.states()

    async def start(self, external: list[Listener], internal: Listener) -> None:
        """Serves. Raises the error of whatever can't start: git, hooks, sockets."""
        metrics.build_info.labels(__version__, self._git.version).set(1)
        register(rpc.method for rpc in self._frame.rpcs.values())
        register(all_methods())
        await self._hooks.start()
        await self._packs.start()
        await self._takeovers.start()
        await self._internal.start([internal])
        await self._external.start(external)
        self._memory.start()

    async def drain(self, grace: float, force: asyncio.Event) -> bool:
        """Finishes running external calls; internal ones, which their hooks make, are still taken.

        Returns whether all of them finished within `grace` seconds and unforced.
        """
        self.state = "draining"
        self._health.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        clean = await self._external.drain(grace, force)
        return await self._packs_finished(until - loop.time(), force) and clean

    async def _packs_finished(self, grace: float, force: asyncio.Event) -> bool:
        """Other workers may read what is made here."""
        tasks: set[asyncio.Task[Any]] = set()
        finished = spawn(self._packs.finished(), name="packs of others", owner=tasks)
        forced = spawn(force.wait(), name="forced stop", owner=tasks)
        await asyncio.wait({finished, forced}, timeout=max(grace, 0), return_when=asyncio.FIRST_COMPLETED)
        clean = finished.done()
        await end_all(tasks)
        return clean

    async def finish(self, grace: float, force: asyncio.Event) -> bool:
        """The same for internal ones."""
        return await self._internal.drain(grace, force)

    async def abandon(self) -> None:
        """Takes no connection any more, and ends git processes, which may remove their lock files."""
        await self._external.refuse()
        await self._internal.refuse()
        await self._git.close()

    def kill(self) -> None:
        """Ends git processes that are left, at once."""
        self._git.kill()

    async def close(self) -> None:
        """Ends what is left: hooks, readers, git processes."""
        self._frame.report()
        await self._memory.stop()
        await self._takeovers.close()
        await self._packs.close()
        await self._hooks.close()
        await self._api.close()
        await self._readers.close()
        await self._git.close()
