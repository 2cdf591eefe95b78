"""The load of the machine, and the limits that follow it (daemon.md 5.3, 6.7)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from gitaly_py.config import Config
from gitaly_py.config.limits import Limit
from gitaly_py.git.cgroups.groups import ControlGroups
from gitaly_py.git.cgroups.metrics import ControlGroupMetrics
from gitaly_py.limits.adaptive import AdaptiveLimits
from gitaly_py.limits.conditions import conditions
from gitaly_py.limits.desk import Settings
from gitaly_py.limits.settings import all_limits


def control_groups(config: Config, pid: int) -> ControlGroups | None:
    """The groups of the daemon whose supervisor is `pid`, if it is to have any.

    Raises ControlGroupsUnusable.
    """
    if not config.cgroups.repositories.count:
        return None
    storages = {storage.name: storage.path for storage in config.storage}
    return ControlGroups(config.cgroups, storages, pid=pid)


class Limited(Protocol):
    """Who has the limiters."""

    def apply(self, limits: Mapping[str, Settings]) -> None:
        """Sets all limits."""

    def resize(self, limiter: str, limit: int) -> None:
        """Changes one limit."""


class Machine:
    """Owns the daemon's control groups and sets the limits. Raises ControlGroupsUnusable."""

    def __init__(self, config: Config, limited: Limited) -> None:
        self._limited = limited
        self._groups = control_groups(config, os.getpid())
        load = self._groups.load if self._groups else None
        self._watched = config.adaptive_limiting
        self._adaptive = AdaptiveLimits(load, conditions(self._watched))
        self._sections: dict[str, Limit] = {}
        self._metrics: ControlGroupMetrics | None = None

    async def start(self) -> None:
        """Makes the control groups and begins to watch the load. Raises ControlGroupsUnusable."""
        if self._groups is not None:
            await asyncio.to_thread(self._groups.prepare)
            await asyncio.to_thread(self._groups.prune)
            self._metrics = ControlGroupMetrics(self._groups.load)
        self._adaptive.start()

    async def stop(self) -> None:
        """For when no process of the daemon is left."""
        await self._adaptive.stop()
        if self._metrics is not None:
            self._metrics.close()
        if self._groups is not None:
            await asyncio.to_thread(self._groups.remove)

    def limit(self, config: Config) -> None:
        """Sets the limits of a configuration. An adaptive one that is as it was goes on from where it is."""
        if config.adaptive_limiting != self._watched:
            self._watched = config.adaptive_limiting
            self._adaptive.watch(conditions(self._watched))
        found = list(all_limits(config.concurrency, config.pack_objects_limiting))
        current = self._adaptive.current()
        settings: dict[str, Settings] = {}
        for name, section, wanted in found:
            kept = section.adaptive and self._sections.get(name) == section
            settings[name] = wanted._replace(limit=current[name]) if kept else wanted
        self._limited.apply(settings)
        self._adapt({name: section for name, section, _ in found if section.adaptive})

    def _adapt(self, sections: dict[str, Limit]) -> None:
        for name in self._sections.keys() - sections.keys():
            self._adaptive.remove(name)
        for name, section in sections.items():
            if self._sections.get(name) != section:
                bounds = (section.initial_limit, section.min_limit, section.max_limit)
                self._adaptive.add(name, *bounds, partial(self._limited.resize, name))
        self._sections = sections
