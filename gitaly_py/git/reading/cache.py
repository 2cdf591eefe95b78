"""Opens readers, and keeps what is costly to open: object databases, packed-refs, cat-file processes.

Nothing kept is used without a look at the files it came from: a call costs a few stats, and sees every
push, repack, change of alternates and replaced repository that was complete when it began.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from gitaly_py.git.format import object_format, reference_backend
from gitaly_py.git.process import Git
from gitaly_py.git.reading.database import ObjectDatabase
from gitaly_py.git.reading.errors import ReftableUnsupported
from gitaly_py.git.reading.foreachref import GitReferences
from gitaly_py.git.reading.interface import Reader, ReferenceReader
from gitaly_py.git.reading.libgit2 import LibGit2Reader
from gitaly_py.git.reading.pool import CatFilePool
from gitaly_py.git.reading.processes import ProcessReader
from gitaly_py.git.reading.refs import FileReferences
from gitaly_py.git.reading.stamps import Stamp, stamp
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import SHA1, ObjectFormat

_REFTABLE = (2, 45)
"""The git version that reads reftables first (ref-blob.md 8.1)."""


@dataclass(slots=True)
class _Kept:
    """What is kept of one repository.

    identity: of its config file, which a new repository has anew. references: None when git is to be asked.
    """

    identity: Stamp | None
    format: ObjectFormat
    references: FileReferences | None
    database: ObjectDatabase | None = None


class Readers:
    """The readers of a daemon's repositories; `close` ends what they left running.

    limit: repositories kept open, those not used for longest go first. max_packs: pack files of all of
    them together, since each is mapped. processes: idle cat-file processes kept (`git.catfile_cache_size`).
    """

    def __init__(self, git: Git, *, limit: int = 512, max_packs: int = 4096, processes: int = 100) -> None:
        self.git = git
        self.pool = CatFilePool(git, limit=processes)
        self._limit = limit
        self._max_packs = max_packs
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, repository: GitRepository) -> Reader:
        """A reader for one call.

        Raises ConfigUnreadable, UnknownObjectFormat, UnknownReferenceBackend, ReftableUnsupported.
        """
        kept = self._keep(repository.path)
        references = kept.references or self._asking(repository)
        git = ProcessReader(repository, kept.format, references, self.pool, kept.identity)
        if kept.format is not SHA1:
            return git
        return LibGit2Reader(repository, self._database(repository, kept), references, git)

    async def evict(self, path: str) -> None:
        """Forgets the repository at `path`, which was removed or replaced."""
        self._kept.pop(path, None)
        await self.pool.evict(path)

    async def close(self) -> None:
        """Lets go of everything."""
        self._kept.clear()
        await self.pool.close()

    def _keep(self, path: str) -> _Kept:
        identity = stamp(path + "/config")
        kept = self._kept.get(path)
        if kept is None or identity is None or kept.identity != identity:
            kept = self._kept[path] = _opened(path, identity)
            self._shrink()
        self._kept.move_to_end(path)
        return kept

    def _database(self, repository: GitRepository, kept: _Kept) -> ObjectDatabase:
        if repository.object_directory or repository.alternate_object_directories:
            # What is in quarantine must not be seen by any other call.
            return ObjectDatabase(repository)
        if kept.database is None or not kept.database.unchanged:
            kept.database = ObjectDatabase(repository)
            self._shrink()
        return kept.database

    def _asking(self, repository: GitRepository) -> ReferenceReader:
        if self.git.version_tuple < _REFTABLE:
            raise ReftableUnsupported(self.git.version)
        return GitReferences(self.git, repository)

    def _shrink(self) -> None:
        packs = sum(kept.database.packs for kept in self._kept.values() if kept.database)
        while len(self._kept) > 1 and (len(self._kept) > self._limit or packs > self._max_packs):
            _, gone = self._kept.popitem(last=False)
            packs -= gone.database.packs if gone.database else 0


def _opened(path: str, identity: Stamp | None) -> _Kept:
    hash_format = object_format(path)
    in_files = reference_backend(path) == "files"
    return _Kept(identity, hash_format, FileReferences(path, hash_format.hex_length) if in_files else None)
