"""A repository in a storage, as handlers work on it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.stamps import Stamp
from gitaly_py.git.repository import GitRepository
from gitaly_py.storage.errors import ObjectDirectoryEscapes, ObjectDirectoryMissing, ObjectDirectoryNotSet
from gitaly_py.storage.paths import clean, is_below
from gitaly_py.storage.temporary import AREA, quarantine_prefix

_QUARANTINE = "quarantine"
_POOL = re.compile(
    r"@pools/([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}\.git\Z"
    r"|@cluster/pools/[0-9a-f]{2}/[0-9a-f]{2}/[0-9]+\Z"
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A resolved repository.

    relative_path: as the client sent it. git: how the git layer addresses it. folder: the state its folder
    was in when the call began, None when that is not certain.
    """

    storage_name: str
    storage_path: str
    relative_path: str
    git: GitRepository
    readers: Readers
    gl_repository: str = ""
    gl_project_path: str = ""
    folder: Stamp | None = None

    @property
    def path(self) -> str:
        """The absolute path."""
        return self.git.path

    @property
    def is_pool(self) -> bool:
        """Whether the path is that of an object pool (repository.md A2)."""
        return _POOL.search(self.relative_path) is not None

    def sibling(self, relative_path: str) -> Repository:
        """A repository of the same storage, unchecked: a temporary one, or a pool."""
        git = GitRepository(clean(f"{self.storage_path}/{relative_path}"))
        return replace(self, relative_path=relative_path, git=git, folder=None)

    def object_directory(self) -> str:
        """The path of the object directory that the request names, which must be one of this repository's.

        That is one inside the repository, a quarantine made for it, or one named as the write-ahead log's
        are (repository.md A3). Raises ObjectDirectoryNotSet, ObjectDirectoryEscapes, ObjectDirectoryMissing.
        """
        path = self.git.object_directory
        if path is None:
            raise ObjectDirectoryNotSet
        if not is_below(path, self.storage_path) or not self._owns(path):
            raise ObjectDirectoryEscapes(path)
        if not os.path.exists(path):
            raise ObjectDirectoryMissing(path)
        return path

    def _owns(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if name == _QUARANTINE or (os.path.basename(folder) == _QUARANTINE and name.startswith("tmp_objdir")):
            return True
        own = f"{self.storage_path}/{AREA}/{quarantine_prefix(self.relative_path)}"
        return is_below(path, self.path) or path.startswith(own)

    def reader(self, *, steady: bool = False) -> Reader:
        """Reads objects and references; ask once a call.

        steady: the call changes no references, so that what it has found need not be looked for again.
        """
        return self.readers.open(self.git, self.folder, steady=steady)
