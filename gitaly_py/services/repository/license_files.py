"""The files of a commit that may hold its license (repository.md FindLicense)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing

from gitaly_py.detection.interface import LicenseFile
from gitaly_py.git.reading.errors import ObjectNotFound, ObjectUnreadable
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.objects import TreeEntry
from gitaly_py.services.tree_lookup import TreeLookup

_LARGEST = 1 << 20
"""Bytes of a file that are looked at."""

_POINTER = 128
"""Bytes below which a file may hold nothing but the path of the one that is meant."""

_README = re.compile(rb"(?:readme|guidelines)(?:\.md|\.rst|\.html|\.txt)?\Z")
_NAME = re.compile(
    rb"(?:|.*[-_. ])"
    rb"(?:li[cs]en[cs]es?|legal|copyleft|copyright|copying|unlicense|l?gpl[-_ v]?(?:\d\.?\d)?|bsd|mit|apache)"
    rb"(?:|[-_. ].*)",
    re.DOTALL,
)


def is_license_name(name: bytes) -> bool:
    """Whether a file in the root of a repository is taken for its license by its name."""
    lowered = name.lower()
    return _README.search(lowered) is None and _NAME.fullmatch(lowered) is not None


async def license_files(reader: Reader, commit: str) -> AsyncIterator[LicenseFile]:
    """The files in the order of the tree, each with the first of its bytes.

    One that holds the path of another file, as symbolic links do, stands for that if it can be read. Raises
    ObjectNotFound.
    """
    lookup = TreeLookup(reader)
    for entry in await lookup.entries(commit.encode(), b""):
        if entry.type == "blob" and is_license_name(entry.name):
            file = await _read(reader, entry.name, entry)
            yield await _meant(reader, lookup, commit, file)


async def _meant(reader: Reader, lookup: TreeLookup, commit: str, file: LicenseFile) -> LicenseFile:
    path = file.content.strip()
    if len(file.content) >= _POINTER or not path:
        return file
    entry = await lookup.find(commit.encode(), path)
    if entry is None or entry.type != "blob":
        return file
    try:
        return await _read(reader, path, entry)
    except (ObjectNotFound, ObjectUnreadable):
        return file


async def _read(reader: Reader, path: bytes, entry: TreeEntry) -> LicenseFile:
    async with aclosing(reader.content(entry.oid, _LARGEST)) as pieces:
        return LicenseFile(path, b"".join([piece async for piece in pieces]))
