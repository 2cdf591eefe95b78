"""A repository in a storage, as handlers work on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.repository import GitRepository

_POOL = re.compile(
    r"@pools/([0-9a-f]{2})/([0-9a-f]{2})/(?:\1\2[0-9a-f]{60})\.git$|@cluster/pools/[0-9a-f]{2}/[0-9a-f]{2}/[0-9]+$"
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A resolved repository. relative_path: as the client sent it; git: how the git layer addresses it."""

    storage_name: str
    storage_path: str
    relative_path: str
    git: GitRepository
    readers: Readers
    gl_repository: str = ""
    gl_project_path: str = ""

    @property
    def path(self) -> str:
        return self.git.path

    @property
    def is_pool(self) -> bool:
        """Whether the path is that of an object pool (repository.md A2)."""
        return _POOL.search(self.relative_path) is not None

    def sibling(self, relative_path: str) -> Repository:
        """A repository of the same storage, unchecked: a temporary one, or a pool."""
        git = GitRepository(f"{self.storage_path}/{relative_path}")
        return replace(self, relative_path=relative_path, git=git)

    def reader(self) -> Reader:
        """Reads objects and references; ask once a call."""
        return self.readers.open(self.git)
