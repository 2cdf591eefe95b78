"""A repository as a tar file: its references, its objects, and what git needs to read them."""

from __future__ import annotations

import os
import re

import structlog

from gitaly_py.storage import archiving
from gitaly_py.storage.alternates import alternate_directories
from gitaly_py.storage.archiving import Blocks
from gitaly_py.storage.errors import AlternateOutside
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.tar import END

_OBJECT = re.compile(
    rb"/[0-9A-Fa-f]{2}/(?:[0-9A-Fa-f]{38}|[0-9A-Fa-f]{62})\Z"
    rb"|/pack/pack-(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\.(?:pack|idx)\Z"
)
_SECTION = re.compile(rb"\s*\[\s*([-.0-9A-Za-z]+)(?:\s*\]|\s+\"(?:[^\"\\]|\\.)*\"\s*\])")
_FORMAT_VERSION = re.compile(rb"\s*repositoryformatversion\s*(?:=|\Z)", re.IGNORECASE)

_log = structlog.get_logger("gitaly")


def snapshot(repository: Repository) -> Blocks:
    """The tar file (storage-maintenance.md 6): no hooks, no logs, no private configuration.

    References come before objects, so that what they name at the time is in it. What the repository
    borrows becomes its own, unless an alternate can't be used: then that is logged, and all are left out.
    Raises FileUnreadable.
    """
    path = os.fsencode(repository.path)
    yield from archiving.file(path + b"/HEAD", b"HEAD")
    yield from archiving.file(path + b"/packed-refs", b"packed-refs")
    if config := archiving.read(path + b"/config"):
        yield archiving.content(shared_config(config[0]), b"config", config[1])
    for folder in (b"refs", b"reftable", b"branches"):
        yield from archiving.tree(path + b"/" + folder, folder)
    yield from _objects(path + b"/objects")
    yield from archiving.file(path + b"/shallow", b"shallow")
    for alternate in _alternates(repository):
        yield from _objects(os.fsencode(alternate))
    yield END


def shared_config(config: bytes) -> bytes:
    """What of a config file says how to read the repository: its format's version and extensions."""
    kept: list[bytes] = []
    section = b""
    for line in config.splitlines():
        rest = line
        if line.lstrip().startswith(b"["):
            header = _SECTION.match(line)
            section = header[1].lower().partition(b".")[0] if header else b""
            rest = line[header.end() :] if header else b""
            if header and section == b"core":
                kept.append(header[0])
        if section == b"extensions":
            kept.append(line)
        elif section == b"core" and _FORMAT_VERSION.match(rest):
            kept.append(rest)
    return b"".join(line + b"\n" for line in kept)


def _objects(folder: bytes) -> Blocks:
    yield from archiving.tree(folder, b"objects", _OBJECT.search)


def _alternates(repository: Repository) -> list[str]:
    try:
        return alternate_directories(f"{repository.path}/objects", repository.storage_path)
    except (AlternateOutside, OSError) as error:
        _log.warning("error getting alternate object directories", error=str(error), path=repository.path)
        return []
