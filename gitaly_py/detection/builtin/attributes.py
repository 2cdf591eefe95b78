"""The attributes `linguist-*` of files, as the commit's own `.gitattributes` have them (commit.md 4.1)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from gitaly_py.detection.rules.attributes import Attributes
from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git, Stderr
from gitaly_py.storage.repository import Repository
from gitaly_py.storage.temporary import temporary_directory

NONE = Attributes()

_NAMES = (
    "linguist-documentation",
    "linguist-vendored",
    "linguist-generated",
    "linguist-detectable",
    "linguist-language",
)
_STATES = {b"set": True, b"unset": False}
_FIELDS = 3
"""Of a record: path, attribute, value."""


async def attributes_of(
    git: Git, repository: Repository, sources: Mapping[bytes, str], paths: Iterable[bytes]
) -> dict[bytes, Attributes]:
    """The attributes of those paths that have any.

    sources: the blobs of the `.gitattributes` by their paths. Only they go into an index, which every git can
    read attributes from; `--source` is younger.
    """
    async with temporary_directory(repository.storage_path, "attributes") as folder:
        environment = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        entries = b"".join(b"100644 %s\t%s\0" % (oid.encode(), path) for path, oid in sources.items())
        fill = Command(name="update-index", flags=["-z", "--index-info"])
        (await git.run(repository.git, fill, stdin=entries, env=environment)).check()
        look = Command(name="check-attr", flags=["--cached", "--stdin", "-z"], args=_NAMES)
        asked = b"".join(path + b"\0" for path in paths)
        found: dict[bytes, Attributes] = {}
        async with git.start(
            repository.git, look, stdin=asked, env=environment, stderr=Stderr.KEEP
        ) as process:
            pending: list[bytes] = []
            async for records in process.batches(b"\0"):
                pending = _take(found, pending + records)
            await process.check()
    return found


def _take(found: dict[bytes, Attributes], records: list[bytes]) -> list[bytes]:
    """Notes what whole groups of records say; what is left of one."""
    step = _FIELDS * len(_NAMES)
    whole = len(records) - len(records) % step
    for at in range(0, whole, step):
        values = records[at + 2 : at + step : _FIELDS]
        if any(value != b"unspecified" for value in values):
            found[records[at]] = _attributes(values)
    return records[whole:]


def _attributes(values: list[bytes]) -> Attributes:
    documentation, vendored, generated, detectable = map(_STATES.get, values[:-1])
    language = None if values[-1] == b"unspecified" else values[-1].decode("utf-8", "surrogateescape")
    return Attributes(documentation, vendored, generated, detectable, language)
