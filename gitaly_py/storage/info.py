"""What is in a repository on disk: the facts behind RepositoryInfo (repository.md)."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace

from gitaly_py.git.format import reference_backend
from gitaly_py.storage.creation import FULL_REPACK_TIMESTAMP
from gitaly_py.storage.errors import RepositoryNotFound
from gitaly_py.storage.headers import (
    BitmapInfo,
    CommitGraphInfo,
    MultiPackIndexInfo,
    bitmap,
    commit_graph,
    multi_pack_index,
)
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.sizes import scan_size

STALE_SECONDS = 10 * 24 * 3600
"""A loose object older than this is stale."""

_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class ReferencesInfo:
    """backend: `files` or `reftable`; packed_size: bytes of packed-refs."""

    backend: str
    loose_count: int = 0
    packed_size: int = 0


@dataclass(frozen=True)
class ObjectsInfo:
    """Sizes in bytes. Stale loose objects count among the loose ones, too."""

    loose_objects_count: int = 0
    loose_size: int = 0
    stale_loose_objects_count: int = 0
    stale_loose_size: int = 0
    loose_objects_garbage_count: int = 0
    packfile_count: int = 0
    pack_size: int = 0
    keep_count: int = 0
    keep_size: int = 0
    cruft_count: int = 0
    cruft_size: int = 0
    reverse_index_count: int = 0

    @property
    def size(self) -> int:
        return self.loose_size + self.pack_size

    @property
    def stale_size(self) -> int:
        return self.stale_loose_size + self.cruft_size

    @property
    def recent_size(self) -> int:
        return self.size - self.stale_size

    def __add__(self, other: ObjectsInfo) -> ObjectsInfo:
        return ObjectsInfo(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(ObjectsInfo))
        )


@dataclass(frozen=True)
class AlternatesInfo:
    """object_directories: as written in the file; last_modified: whole Unix seconds."""

    object_directories: tuple[str, ...]
    last_modified: int


@dataclass(frozen=True)
class RepositoryInfo:
    """size in bytes; last_full_repack in whole Unix seconds. None: there is no such file."""

    size: int
    references: ReferencesInfo
    objects: ObjectsInfo
    commit_graph: CommitGraphInfo | None
    bitmap: BitmapInfo | None
    multi_pack_index: MultiPackIndexInfo | None
    multi_pack_index_bitmap: BitmapInfo | None
    alternates: AlternatesInfo | None
    is_object_pool: bool
    last_full_repack: int | None


async def repository_info(repository: Repository) -> RepositoryInfo:
    """The facts of a repository, with the numbers of a linked pool added.

    Raises DamagedFile, RepositoryNotFound for a pool that is gone, OSError.
    """
    return await asyncio.to_thread(_with_pool, repository)


def _with_pool(repository: Repository) -> RepositoryInfo:
    own = _gathered(repository)
    if own.alternates is None or not own.alternates.object_directories:
        return own
    path = os.path.normpath(os.path.join(repository.path, "objects", own.alternates.object_directories[0]))
    pool_path = os.path.dirname(path)
    if not os.path.isdir(pool_path):
        raise RepositoryNotFound(pool_path)
    pool = _gathered(repository.sibling(os.path.relpath(pool_path, repository.storage_path)))
    return replace(
        own,
        size=own.size + pool.size,
        objects=own.objects + pool.objects,
        bitmap=pool.bitmap,
        multi_pack_index=pool.multi_pack_index,
        multi_pack_index_bitmap=pool.multi_pack_index_bitmap,
    )


def _gathered(repository: Repository) -> RepositoryInfo:
    objects = os.path.join(repository.path, "objects")
    packs = os.path.join(objects, "pack")
    index = os.path.join(packs, "multi-pack-index")
    return RepositoryInfo(
        size=scan_size(repository.path),
        references=_references(repository.path),
        objects=_loose(objects) + _packs(packs),
        commit_graph=commit_graph(objects),
        bitmap=_last_bitmap(packs, "pack-"),
        multi_pack_index=multi_pack_index(index) if os.path.exists(index) else None,
        multi_pack_index_bitmap=_last_bitmap(packs, "multi-pack-index-"),
        alternates=_alternates(objects),
        is_object_pool=repository.is_pool,
        last_full_repack=_modified(os.path.join(repository.path, FULL_REPACK_TIMESTAMP)),
    )


def _references(path: str) -> ReferencesInfo:
    backend = reference_backend(path)
    if backend != "files":
        return ReferencesInfo(backend)
    loose = sum(_loose_references(os.path.join(path, "refs")))
    packed = 0
    with suppress(FileNotFoundError):
        packed = os.stat(os.path.join(path, "packed-refs")).st_size
    return ReferencesInfo(backend, loose, packed)


def _loose_references(folder: str) -> Iterator[int]:
    """How many there are in each folder; links are files, wherever they lead."""
    for root, folders, files in os.walk(folder):
        yield len(files) + sum(os.path.islink(os.path.join(root, name)) for name in folders)


def _loose(objects: str) -> ObjectsInfo:
    before = time.time() - STALE_SECONDS
    count = size = stale = stale_size = garbage = 0
    for shard in range(256):
        for entry in _entries(os.path.join(objects, f"{shard:02x}")):
            if not _HEX.fullmatch(entry.name):
                garbage += 1
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            count += 1
            size += found.st_size
            if found.st_mtime < before:
                stale += 1
                stale_size += found.st_size
    return ObjectsInfo(
        loose_objects_count=count,
        loose_size=size,
        stale_loose_objects_count=stale,
        stale_loose_size=stale_size,
        loose_objects_garbage_count=garbage,
    )


def _packs(folder: str) -> ObjectsInfo:
    sizes: dict[str, int] = {}
    for entry in _entries(folder):
        with suppress(FileNotFoundError):
            sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
    packs = {name[:-5]: size for name, size in sizes.items() if _is(name, ".pack")}
    kept = {stem: size for stem, size in packs.items() if f"{stem}.keep" in sizes}
    cruft = {stem: size for stem, size in packs.items() if stem not in kept and f"{stem}.mtimes" in sizes}
    return ObjectsInfo(
        packfile_count=len(packs),
        pack_size=sum(packs.values()),
        keep_count=len(kept),
        keep_size=sum(kept.values()),
        cruft_count=len(cruft),
        cruft_size=sum(cruft.values()),
        reverse_index_count=sum(_is(name, ".rev") for name in sizes),
    )


def _is(name: str, ending: str) -> bool:
    return name.startswith("pack-") and name.endswith(ending)


def _last_bitmap(folder: str, prefix: str) -> BitmapInfo | None:
    names = [
        entry.name
        for entry in _entries(folder)
        if entry.name.startswith(prefix) and entry.name.endswith(".bitmap")
    ]
    return bitmap(os.path.join(folder, max(names))) if names else None


def _alternates(objects: str) -> AlternatesInfo | None:
    path = os.path.join(objects, "info/alternates")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n") for line in file]
            modified = int(os.fstat(file.fileno()).st_mtime)
    except FileNotFoundError:
        return None
    return AlternatesInfo(tuple(line for line in lines if line and not line.startswith("#")), modified)


def _modified(path: str) -> int | None:
    try:
        return int(os.stat(path).st_mtime)
    except FileNotFoundError:
        return None


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        yield from entries
