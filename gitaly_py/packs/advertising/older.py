"""Advertisements of protocol versions 0 and 1: all references, as git itself lists them (transport.md 6)."""

from __future__ import annotations

from typing import Final

from gitaly_py.packs.advertising.asking import Asking, fits, packed_size
from gitaly_py.packs.advertising.configuration import Facts
from gitaly_py.packs.advertising.keeping import Entry, Kept, Shared, States
from gitaly_py.packs.advertising.survey import survey
from gitaly_py.packs.advertising.wanted import HEAD
from gitaly_py.storage.repository import Repository
from gitaly_py.telemetry import metrics

_ALL: Final = b"refs/"


class OlderAdvertisements:
    """kept: where advertisements are kept."""

    def __init__(self, asking: Asking, kept: Kept) -> None:
        self._asking = asking
        self._kept = kept
        self._shared: Shared[bytes] = Shared()

    async def get(
        self, repository: Repository, facts: Facts, service: str, protocol: str, *, stateless: bool
    ) -> bytes | None:
        """None when git fails, and where there is too much to be held in memory."""
        metrics.inforef_cache_attempts.inc()
        metrics.diskcache_requests.inc()
        key = (repository.path, facts, self._asking.git.version, service, protocol, stateless)
        found = await self._kept.valid(key)
        if found is not None:
            metrics.inforef_cache_lookups.labels("hit").inc()
            metrics.diskcache_bytes_fetched.inc(len(found.data))
            return found.data
        metrics.diskcache_misses.inc()
        states = await _states(repository, facts)
        short = fits(packed_size(repository.path))
        lasting = short and all(state.proves for state in states)
        metrics.inforef_cache_lookups.labels("miss" if lasting else "err").inc()
        if not short:
            return None

        async def make() -> bytes | None:
            # Another call may have made it while this one looked at the references.
            if (known := await self._kept.valid(key)) is not None:
                return known.data
            asked = self._asking.advertisement(repository.git, protocol, service, stateless=stateless)
            made = await asked
            if made is not None and self._kept.keep(key, Entry(states, made)):
                metrics.diskcache_bytes_stored.inc(len(made))
            return made

        return await self._shared.get(key, states, make)


async def _states(repository: Repository, facts: Facts) -> States:
    """What an advertisement depends on, as it is before git looks."""
    surveys = [await survey(repository.path, facts, part) for part in (HEAD, _ALL)]
    for found in surveys:
        # Values don't matter here, only where they come from.
        found.follow(lambda _: None)
    states = [found.state for found in surveys]
    for name in (b"shallow", b"config"):
        states[0].watch(name)
    return states
