"""Opens readers, and keeps what is costly to open: object databases, packed-refs, cat-file processes.

Nothing kept is used without a look at the files it came from: a call costs a few stats, and sees every
push, repack, change of alternates and replaced repository that was complete when it began.
"""

from __future__ import annotations

import os
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
from gitaly_py.git.reading.stamps import Stamp, now, stamp
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import SHA1, ObjectFormat

_REFTABLE = (2, 45)
"""The git version that reads reftables first (ref-blob.md 8.1)."""


@dataclass(slots=True)
class _Kept:
    """What is kept of one repository.

    git: for what only git knows, in calls that see the repository's objects and no others.
    identity: of its config file, which a new repository has anew; None when it may change without telling.
    folder: the state of the repository's folder in which that is its config.
    """

    format: ObjectFormat
    references: ReferenceReader
    git: ProcessReader
    identity: Stamp | None = None
    folder: Stamp | None = None
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

    def open(self, repository: GitRepository, folder: Stamp | None = None, *, steady: bool = False) -> Reader:
        """A reader for one call.

        folder: the stamp of the repository's folder, settled and taken in this call. While it is the same,
        the config file is not looked at again: git replaces it by renaming, which changes the folder. What
        an editor has written into it in place is seen after the folder's next change.
        steady: the call changes no references; see SteadyReferences.
        Raises ConfigUnreadable, UnknownObjectFormat, UnknownReferenceBackend, ReftableUnsupported.
        """
        kept = self._kept.get(repository.path)
        if kept is None or folder is None or kept.folder != folder:
            kept = self._checked(repository.path, kept, folder)
        self._kept.move_to_end(repository.path)
        if repository.object_directory or repository.alternate_object_directories:
            return self._apart(repository, kept)
        if kept.format is not SHA1:
            return kept.git
        references = kept.references
        if steady and folder is not None and isinstance(references, FileReferences):
            references = references.steady(folder)
        return LibGit2Reader(repository, self._database(kept), references, kept.git)

    async def evict(self, path: str) -> None:
        """Forgets the repository at `path`, which was removed or replaced."""
        self._kept.pop(path, None)
        await self.pool.evict(path)

    async def close(self) -> None:
        """Lets go of everything."""
        self._kept.clear()
        await self.pool.close()

    def _checked(self, path: str, kept: _Kept | None, folder: Stamp | None) -> _Kept:
        """What is kept of the repository at `path`, after a look at its config."""
        config = f"{path}/config"
        read_at = now()
        identity = stamp(config)
        if kept is None or identity is None or kept.identity != identity:
            kept = self._kept[path] = self._opened(path, identity)
            self._kept.move_to_end(path)
            self._shrink()
            kept.identity = identity if identity is not None and identity.settled(read_at) else None
        # What a link leads to is replaced without a change of the folder.
        kept.folder = None if kept.identity is None or os.path.islink(config) else folder
        return kept

    def _opened(self, path: str, identity: Stamp | None) -> _Kept:
        repository = GitRepository(path)
        hash_format = object_format(path)
        in_files = reference_backend(path) == "files"
        references = FileReferences(path, hash_format.hex_length) if in_files else self._asking(repository)
        git = ProcessReader(repository, hash_format, references, self.pool, identity)
        return _Kept(hash_format, references, git)

    def _apart(self, repository: GitRepository, kept: _Kept) -> Reader:
        """A reader of objects in quarantine, which must not be seen by any other call."""
        in_files = isinstance(kept.references, FileReferences)
        references = kept.references if in_files else self._asking(repository)
        git = ProcessReader(repository, kept.format, references, self.pool, kept.git.identity)
        if kept.format is not SHA1:
            return git
        return LibGit2Reader(repository, ObjectDatabase(repository), references, git)

    def _database(self, kept: _Kept) -> ObjectDatabase:
        if kept.database is None:
            kept.database = ObjectDatabase(kept.git.repository, self._shrink)
            self._shrink()
        else:
            kept.database.doubt()
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
