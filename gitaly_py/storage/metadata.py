"""`.gitaly-metadata`: how Rails tells that it shares a file system with the daemon (daemon.md 0)."""

from __future__ import annotations

import json
import os
import uuid

from gitaly_py.storage.durable import write_new

NAME = ".gitaly-metadata"
_KEY = "gitaly_filesystem_id"


def ensure_metadata(storage_path: str) -> None:
    """Writes the file unless it is there; an existing one is never changed. Raises OSError."""
    path = os.path.join(storage_path, NAME)
    if not os.path.exists(path):
        write_new(path, json.dumps({_KEY: str(uuid.uuid4())}, separators=(",", ":")).encode() + b"\n")


def filesystem_id(storage_path: str) -> str:
    """The id in the file, empty when it can't be read."""
    try:
        with open(os.path.join(storage_path, NAME), "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return ""
    value = found.get(_KEY) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
