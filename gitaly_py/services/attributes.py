"""Attributes of HEAD for commands of a git that does not look for them in a tree (diff-conflicts.md 12)."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitaly_py.git.commands import Command, Config
from gitaly_py.git.reading.errors import HeadError, ObjectTooLarge
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.version import ATTR_TREE
from gitaly_py.git.wire.attributes import merge_attributes
from gitaly_py.services.app import Call
from gitaly_py.storage.temporary import temporary_directory

_NAME = b".gitattributes"
_REGULAR = b"100"
_KEPT = 256
_LARGEST = 64 * 1024


@asynccontextmanager
async def head_attributes(call: Call) -> AsyncIterator[Config]:
    """Configuration for a command that heeds the attributes of HEAD; it holds as long as the block.

    git 2.43 and later look into HEAD by themselves.
    """
    if call.app.git.version_tuple >= ATTR_TREE:
        yield ()
        return
    rules = await _rules(call)
    if not rules:
        yield ()
        return
    async with temporary_directory(call.repository.storage_path, "attributes") as folder:
        yield (("core.attributesFile", _written(folder, rules)),)


def _written(folder: str, rules: bytes) -> str:
    path = os.path.join(folder, "attributes")
    with open(path, "wb") as file:
        file.write(rules)
    return path


async def _rules(call: Call) -> bytes:
    """The rules of all .gitattributes in HEAD, as one file."""
    reader = call.repository.reader()
    tree = await _tree(reader)
    if tree is None:
        return b""
    known = _known.get(tree)
    if known is not None:
        _known.move_to_end(tree)
        return known
    files = [(folder, await _content(reader, oid)) for folder, oid in await _files(call, reader, tree)]
    large = sum(len(content) for _, content in files) > _LARGEST
    rules = await asyncio.to_thread(merge_attributes, files) if large else merge_attributes(files)
    if len(rules) <= _LARGEST:
        _known[tree] = rules
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return rules


async def _tree(reader: Reader) -> str | None:
    try:
        head = await reader.head()
    except HeadError:
        return None
    info = None if head.oid is None else await reader.info(head.oid.encode() + b"^{tree}")
    return None if info is None else info.oid


async def _files(call: Call, reader: Reader, tree: str) -> list[tuple[bytes, str]]:
    """Folder and id of every .gitattributes."""
    command = Command(
        name="diff-tree",
        flags=["-r", "-z", "--no-renames", f"--abbrev={reader.format.hex_length}"],
        args=[reader.format.empty_tree, tree],
        paths=[b":(glob)**/" + _NAME],
    )
    found = (await call.app.git.run(call.repository.git, command)).check()
    fields = found.stdout.split(b"\0")
    listed = zip(fields[::2], fields[1::2], strict=False)
    return [
        (path.removesuffix(_NAME).removesuffix(b"/"), raw.split(b" ")[3].decode())
        for raw, path in listed
        if raw.split(b" ")[1].startswith(_REGULAR)
    ]


async def _content(reader: Reader, oid: str) -> bytes:
    try:
        blob = await reader.read(oid.encode())
    except ObjectTooLarge:
        return b""  # git does not read it either
    return b"" if blob is None else blob.data


_known: OrderedDict[str, bytes] = OrderedDict()
"""Merged rules by the id of the tree that holds their files; neither ever changes."""
