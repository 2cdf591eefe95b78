"""One worker: everything that serves calls."""

from __future__ import annotations

import asyncio

from gitaly_py import __version__
from gitaly_py.config import Config
from gitaly_py.daemon import parts
from gitaly_py.daemon.endpoint import Endpoint
from gitaly_py.daemon.memory import SpareMemory
from gitaly_py.daemon.runtime import RuntimeDirectory
from gitaly_py.git.reading.cache import Readers
from gitaly_py.hooks.smudge import LfsSmudge
from gitaly_py.interceptors import steps
from gitaly_py.interceptors.access_log import LoggedMethods
from gitaly_py.interceptors.authentication import Tokens
from gitaly_py.interceptors.limits import RpcLimits
from gitaly_py.interceptors.server_metrics import register
from gitaly_py.packs.advertising.advertiser import Advertiser
from gitaly_py.packs.cache import Packs
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
from gitaly_py.transport.connections import Connections
from gitaly_py.transport.listeners import Listener, listen_unix


class Worker:
    """Serves the external listeners and, for the daemon's own children, the internal one."""

    def __init__(self, config: Config, runtime: RuntimeDirectory) -> None:
        self._config = config
        self._runtime = runtime
        self._git = parts.git(config)
        self._readers = Readers(self._git, processes=config.git.catfile_cache_size)
        self._api = parts.internal_api(config)
        self._hooks = parts.hooks(config, self._git, self._api, runtime)
        generations = Generations()
        self._packs = Packs(self._git, PackCacheSettings.of(config.pack_objects_cache), generations)
        self._takeovers = Takeovers(str(runtime.path), self._git.binary)
        self._health = ServingState()
        connections = Connections()
        self._frame: Frame[App, Repository] = Frame(
            App(
                version=__version__,
                config=config,
                git=self._git,
                storages=Storages({storage.name: storage.path for storage in config.storage}, self._readers),
                connections=connections,
                hooks=self._hooks,
                lfs=LfsSmudge(self._api, str(runtime.path)),
                health=self._health,
                pack_limits=PackLimits(config.pack_objects_limiting),
                packs=self._packs,
                plans=Plans(),
                takeovers=self._takeovers,
                generations=generations,
                advertiser=Advertiser(self._git),
            ),
            services=registry(),
            steps=steps(
                Tokens(config.auth.secret.encode(), config.auth.transitioning),
                LoggedMethods.from_environment(),
                RpcLimits(config.concurrency),
            ),
            resolve=resolve,
            codes=CODES,
        )
        self._external = Endpoint(self._frame, config.rpc, runtime.sockets / "engine", connections)
        self._internal = Endpoint(self._frame, config.rpc, runtime.sockets / "inner", connections)
        self._memory = SpareMemory(lambda: self._external.ended)

    async def start(self, listeners: list[Listener]) -> None:
        """Serves. Raises the error of whatever can't start: git, hooks, sockets."""
        metrics.build_info.labels(__version__, self._git.version).set(1)
        register(rpc.method for rpc in self._frame.rpcs.values())
        register(all_methods())
        await self._hooks.start()
        await self._packs.start()
        await self._takeovers.start()
        await self._internal.start([listen_unix(str(self._runtime.internal_socket))])
        await self._external.start(listeners)
        self._memory.start()

    async def drain(self, grace: float, force: asyncio.Event) -> bool:
        """Finishes running calls, external ones first so that their hooks can still call back.

        Returns whether all of them finished within `grace` seconds and unforced.
        """
        self._health.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        clean = await self._external.drain(grace, force)
        return await self._internal.drain(max(until - loop.time(), 0), force) and clean

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
