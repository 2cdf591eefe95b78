"""What git's own upload-pack says, configured as the daemon configures it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.wire.v2 import Request, encode
from gitaly_py.packs.advertising.advertiser import Advertiser
from gitaly_py.storage.locator import Storages
from gitaly_py.storage.repository import Repository
from gitaly_py.telemetry.metrics import ls_refs, spawn_forking_seconds
from tests.support.repositories import ENVIRONMENT, GIT, Repo

HIDDEN = ("refs/keep-around/", "refs/remotes/", "refs/tmp/")
USUAL = ("peel", "symrefs", "unborn", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/")
"""What `git clone` asks for."""
EVERYTHING = ("peel", "symrefs", "unborn")
"""What `git ls-remote` asks for."""

_CONFIG = (
    "uploadpack.allowFilter=true",
    "uploadpack.allowAnySHA1InWant=true",
    *(f"uploadpack.hideRefs={prefix}" for prefix in HIDDEN),
    "uploadpack.advertiseBundleURIs=false",
    "core.useReplaceRefs=false",
)


def ls_refs_request(arguments: Iterable[str | bytes], object_format: str = "sha1") -> bytes:
    """A request for references, as git's own client writes it."""
    lines = tuple(line.encode() if isinstance(line, str) else line for line in arguments)
    return encode(
        Request(b"ls-refs", (b"agent=git/2.39.5", b"object-format=" + object_format.encode()), lines)
    )


def upload_pack(
    repo: Repo, *flags: str, protocol: str = "version=2", stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """What `git upload-pack` says."""
    config = [part for pair in _CONFIG for part in ("-c", pair)]
    return subprocess.run(
        [GIT, *config, "upload-pack", *flags, repo.git_dir],
        input=stdin,
        env={**ENVIRONMENT, "GIT_PROTOCOL": protocol},
        check=True,
        capture_output=True,
    )


def listed_by_git(repo: Repo, arguments: Iterable[str | bytes] = USUAL) -> subprocess.CompletedProcess[bytes]:
    """What git answers to a request for references."""
    return upload_pack(repo, "--stateless-rpc", stdin=ls_refs_request(arguments, repo.format.name))


class EarlyPieces:
    """Collects what is given out early."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.given = 0

    def take(self, piece: bytes) -> None:
        """The next piece."""
        self.pieces.append(piece)
        self.given += len(piece)


class Advertised:
    """An advertiser, and what it says of the repositories of one storage."""

    def __init__(self, readers: Readers, storage: str) -> None:
        self._git = readers.git
        self.forget()
        self._storages = Storages({"default": storage}, readers)
        self._root = storage

    def forget(self) -> None:
        """Begins anew, with nothing in memory."""
        self.advertiser = Advertiser(self._git)

    def repository(self, repo: Repo) -> Repository:
        """The repository as a call finds it."""
        return self._storages.repository("default", repo.path.removeprefix(self._root + "/"))

    async def listed(self, repo: Repo, arguments: Iterable[str | bytes] = USUAL) -> bytes | None:
        """The answer to a request for references."""
        early = EarlyPieces()
        request = ls_refs_request(arguments, repo.format.name)
        rest = await self.advertiser.ls_refs(self.repository(repo), [], request, early)
        return None if rest is None else b"".join([*early.pieces, *rest])


class Counted:
    """What was answered and started since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @property
    def since(self) -> dict[str, int]:
        """Answers by who gave them, and processes as `started`; none that is zero."""
        now = self._now()
        return {name: change for name in now if (change := int(now[name] - self._before[name]))}

    @staticmethod
    def _now() -> dict[str, float]:
        sources = ("memory", "process", "git", "declined")
        counts = {source: ls_refs.labels(source)._value.get() for source in sources}
        started = next(
            sample.value
            for family in spawn_forking_seconds.collect()
            for sample in family.samples
            if sample.name.endswith("_count")
        )
        return {**counts, "started": started}
