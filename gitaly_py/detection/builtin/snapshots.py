"""The languages of a commit, file by file, and where they are kept (commit.md 4.4, ruby-sidecar.md 4.3)."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gitaly_py.detection.interface import LanguageBytes
from gitaly_py.storage.replacing import replace_file
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.temporary import area

_log = structlog.get_logger("gitaly")

_NAME = "gitaly-language.stats"
_VERSION = "gitaly-py:1:builtin"
"""Changes with the rules, the data and the file's form: what another version has written is not used."""


@dataclass(frozen=True)
class Snapshot:
    """The languages of one commit.

    by_file: language and bytes of each file that counts, by path. attributes: the ids of the commit's
    `.gitattributes` by their paths, if any of them speaks of languages. facts: id and colour by language.
    """

    commit: str
    by_file: Mapping[bytes, tuple[str, int]]
    attributes: Mapping[bytes, str]
    facts: Mapping[str, tuple[int, str]]

    def totals(self) -> dict[str, int]:
        """Bytes by language."""
        totals: Counter[str] = Counter()
        for language, size in self.by_file.values():
            totals[language] += size
        return dict(totals)

    def languages(self) -> Sequence[LanguageBytes]:
        """The same, for whoever asked."""
        return [LanguageBytes(name, size, *self.facts[name]) for name, size in self.totals().items()]


def load(repository: Repository) -> Snapshot | None:
    """What was kept for the repository; None if that is nothing which can be used."""
    try:
        with open(f"{repository.path}/{_NAME}", "rb") as file:
            table = json.loads(zlib.decompress(file.read()))
        return _snapshot(table) if table["version"] == _VERSION else None
    except (OSError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def store(repository: Repository, snapshot: Snapshot) -> None:
    """Keeps `snapshot` for the repository. Where that can't be done, it is logged, and nothing is kept."""
    table = {
        "version": _VERSION,
        "commit_id": snapshot.commit,
        "totals": snapshot.totals(),
        "by_file": {_text(path): {name: size} for path, (name, size) in snapshot.by_file.items()},
        "attributes": {_text(path): oid for path, oid in snapshot.attributes.items()},
        "languages": snapshot.facts,
    }
    data = zlib.compress(json.dumps(table, separators=(",", ":")).encode())
    try:
        folder = Path(area(repository.storage_path))
        replace_file(Path(repository.path, _NAME), data, 0o400, folder=folder)
    except OSError as error:
        _log.warning("failed to keep language statistics", path=repository.path, error=str(error))


def _snapshot(table: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        str(table["commit_id"]),
        {path.encode("latin-1"): _counted(counted) for path, counted in table["by_file"].items()},
        {path.encode("latin-1"): str(oid) for path, oid in table["attributes"].items()},
        {name: (int(number), str(color)) for name, (number, color) in table["languages"].items()},
    )


def _counted(counted: Mapping[str, int]) -> tuple[str, int]:
    [(name, size)] = counted.items()
    return str(name), int(size)


def _text(path: bytes) -> str:
    """A path as JSON can hold it, whatever bytes it has."""
    return path.decode("latin-1")
