"""Attributes of HEAD for git before 2.43, which has no `attr.tree` (commit.md 1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitaly_py.git.commands import Config
from gitaly_py.git.version import ATTR_TREE
from gitaly_py.services.app import Call
from gitaly_py.storage.temporary import temporary_directory


@asynccontextmanager
async def attributes_of_head(call: Call) -> AsyncIterator[Config]:
    """Configuration under which an older git heeds the `.gitattributes` in the root of HEAD.

    Those of folders below are beyond it. Newer git has been told already, and gets no configuration.
    """
    if call.app.git.version_tuple >= ATTR_TREE:
        yield ()
        return
    attributes = await call.repository.reader().read(b"HEAD:.gitattributes")
    if attributes is None or attributes.type != "blob":
        yield ()
        return
    async with temporary_directory(call.repository.storage_path) as folder:
        file = Path(folder, "attributes")
        await asyncio.to_thread(file.write_bytes, attributes.data)
        yield (("core.attributesFile", str(file)),)
