"""Headers of git's acceleration files: commit-graph, multi-pack-index, bitmaps (gitformat-* manuals)."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from gitaly_py.storage.errors import DamagedFile

_CHUNK_ENTRY = 12


@dataclass(frozen=True)
class CommitGraphInfo:
    """commit_graph_chain_length: files of a split graph, 0 for a graph in one file."""

    commit_graph_chain_length: int
    has_bloom_filters: bool
    has_generation_data: bool
    has_generation_data_overflow: bool


@dataclass(frozen=True)
class BitmapInfo:
    has_hash_cache: bool
    has_lookup_table: bool
    version: int


@dataclass(frozen=True)
class MultiPackIndexInfo:
    packfile_count: int
    version: int
    has_large_offsets: bool
    has_bitmapped_packs: bool
    has_reverse_index: bool


def commit_graph(objects: str) -> CommitGraphInfo | None:
    """The commit-graph of an object directory; what any file of a chain has, the graph has.

    Raises DamagedFile.
    """
    chain = os.path.join(objects, "info/commit-graphs/commit-graph-chain")
    try:
        with open(chain) as file:
            ids = file.read().split()
    except FileNotFoundError:
        single = os.path.join(objects, "info/commit-graph")
        return _graph_info(0, _graph_chunks(single)) if os.path.exists(single) else None
    folder = os.path.dirname(chain)
    paths = [os.path.join(folder, f"graph-{name}.graph") for name in ids]
    found: set[bytes] = set()
    for path in paths:
        if os.path.exists(path):
            found |= _graph_chunks(path)
    return _graph_info(len(ids), found)


def bitmap(path: str) -> BitmapInfo:
    """The header of a bitmap, of a pack or of a multi-pack-index. Raises DamagedFile."""
    magic, version, flags = struct.unpack(">4sHH", _read(path, 8))
    if magic != b"BITM":
        raise DamagedFile(path, f"invalid signature: {magic.decode('latin-1')!r}")
    if version != 1:
        raise DamagedFile(path, f"unsupported version: {version}")
    return BitmapInfo(bool(flags & 0x4), bool(flags & 0x10), version)


def multi_pack_index(path: str) -> MultiPackIndexInfo:
    """The header and chunk table of a multi-pack-index. Raises DamagedFile."""
    magic, version, _, chunks, bases, packs = struct.unpack(">4sBBBBI", _read(path, 12))
    if magic != b"MIDX":
        raise DamagedFile(path, f"invalid signature: {magic.decode('latin-1')!r}")
    if version != 1:
        raise DamagedFile(path, f"invalid version: {version}")
    if bases:
        raise DamagedFile(path, f"unexpected base files: {bases}")
    found = _chunk_ids(path, 12, chunks)
    return MultiPackIndexInfo(packs, version, b"LOFF" in found, b"BTMP" in found, b"RIDX" in found)


def _graph_chunks(path: str) -> set[bytes]:
    magic, version, _, chunks, _ = struct.unpack(">4sBBBB", _read(path, 8))
    if magic != b"CGPH":
        raise DamagedFile(path, f"invalid signature: {magic.decode('latin-1')!r}")
    if version != 1:
        raise DamagedFile(path, f"invalid version: {version}")
    return _chunk_ids(path, 8, chunks)


def _graph_info(length: int, chunks: set[bytes]) -> CommitGraphInfo:
    return CommitGraphInfo(length, {b"BIDX", b"BDAT"} <= chunks, b"GDA2" in chunks, b"GDO2" in chunks)


def _chunk_ids(path: str, offset: int, count: int) -> set[bytes]:
    table = _read(path, (count + 1) * _CHUNK_ENTRY, offset)
    return {table[start : start + 4] for start in range(0, len(table), _CHUNK_ENTRY)}


def _read(path: str, length: int, offset: int = 0) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    if len(data) < length:
        raise DamagedFile(path, "unexpected EOF")
    return data
