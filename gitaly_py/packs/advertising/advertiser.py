"""What clients are told of a repository before they fetch, from memory wherever that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gitaly_py.git.commands import Config
from gitaly_py.git.process import Git
from gitaly_py.packs.advertising.asking import UPLOAD_PACK, Asking
from gitaly_py.packs.advertising.configuration import Configurations, Facts, is_default, is_harmless
from gitaly_py.packs.advertising.following import Early
from gitaly_py.packs.advertising.keeping import Kept
from gitaly_py.packs.advertising.older import OlderAdvertisements
from gitaly_py.packs.advertising.references import Listings
from gitaly_py.packs.advertising.wanted import wanted
from gitaly_py.storage.repository import Repository
from gitaly_py.telemetry import metrics

MAX_BYTES: Final = 64 << 20
"""Memory of everything that is kept."""

_FORMATS: Final = 16
"""Capabilities that are kept: one set for each version of git, object format and reference backend."""


class Advertiser:
    """Advertisements and lists of references of all repositories; one a worker. Every byte is git's.

    Each method gives None when only git can answer: to a request or with a configuration that is not known
    to make no difference, with objects in quarantine, and when git failed, which it may say itself.
    options: the git_config_options of the request. max_bytes: of memory.
    """

    def __init__(self, git: Git, *, max_bytes: int = MAX_BYTES) -> None:
        self._asking = Asking(git)
        self._harmless = is_harmless(git.settings.config)
        self._configurations = Configurations()
        self._capabilities: dict[tuple[str, Facts], bytes] = {}
        kept = Kept(max_bytes)
        self._listings = Listings(self._asking, kept)
        self._older = OlderAdvertisements(self._asking, kept)

    async def capabilities(self, repository: Repository, options: Config) -> bytes | None:
        """What a conversation of protocol version 2 begins with, from `version 2` to the flush.

        The same over transports with and without state (transport.md 3, gitprotocol-v2).
        """
        facts = self._facts(repository, options)
        if facts is None:
            return None
        key = (self._asking.git.version, facts)
        known = self._capabilities.get(key)
        if known is not None:
            return known
        made = await self._asking.advertisement(repository.git, "version=2", UPLOAD_PACK, stateless=True)
        if made is not None:
            if len(self._capabilities) >= _FORMATS:
                self._capabilities.clear()
            self._capabilities[key] = made
        return made

    async def ls_refs(
        self, repository: Repository, options: Config, request: bytes, early: Early
    ) -> Sequence[bytes] | None:
        """The answer to one whole ls-refs request of protocol version 2, but for what `early` has got.

        Raises AnswerEnded.
        """
        facts = self._facts(repository, options)
        asked = None if facts is None else wanted(request, facts.object_format)
        answer = None
        if facts is not None and asked is not None:
            answer = await self._listings.answer(repository, facts, asked, early)
        if answer is None:
            metrics.ls_refs.labels("declined").inc()
            return None
        data, source = answer
        metrics.ls_refs.labels(source).inc()
        return data

    async def references(
        self,
        repository: Repository,
        options: Config,
        *,
        protocol: str,
        stateless: bool,
        service: str = UPLOAD_PACK,
    ) -> bytes | None:
        """What a conversation of version 0 or 1 begins with: all references, from `version 1` to the flush.

        protocol: what GIT_PROTOCOL is to say, may be empty. service: `upload-pack` or `receive-pack`.
        """
        facts = self._facts(repository, options)
        if facts is None:
            return None
        return await self._older.get(repository, facts, service, protocol, stateless=stateless)

    def _facts(self, repository: Repository, options: Config) -> Facts | None:
        git = repository.git
        if git.object_directory or git.alternate_object_directories:
            return None
        if not self._harmless or not is_default(options):
            return None
        return self._configurations.facts(repository.path)
