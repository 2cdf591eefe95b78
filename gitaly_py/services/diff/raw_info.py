"""DiffBlobs for changed files as FindChangedPaths tells them (diff-conflicts.md 9.3).

Both sides become trees in which the file of the n-th change is called n, whatever its paths: so git compares
all of them in one go and in the request's order, even if the same path occurs in several.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncGenerator, Sequence

from gitaly_py.git.commands import Command
from gitaly_py.git.errors import describe_status
from gitaly_py.git.format import object_format
from gitaly_py.git.process import Stderr
from gitaly_py.git.updating.quarantine import quarantine
from gitaly_py.git.updating.throwaway import write_tree
from gitaly_py.git.wire.diff.entries import Entry, halves, header_of
from gitaly_py.git.wire.diff.limits import Limits
from gitaly_py.git.wire.diff.parser import FileDiff, PatchParser
from gitaly_py.git.wire.objects import SUBMODULE, ObjectFormat
from gitaly_py.git.wire.oids import is_oid
from gitaly_py.git.wire.quoting import quote
from gitaly_py.pb.diff_pb2 import ChangedPaths, DiffBlobsRequest
from gitaly_py.rpc.status import Internal
from gitaly_py.services.app import Call
from gitaly_py.services.diff import commands
from gitaly_py.services.diff.blob_result import BlobDiff
from gitaly_py.storage.temporary import area

_FATAL = 128
"""The exit status of a git that was asked for nonsense."""

_KIND = 0o170000
_KINDS = (stat.S_IFREG, stat.S_IFLNK, SUBMODULE)

_LETTERS = {
    ChangedPaths.ADDED: b"A",
    ChangedPaths.MODIFIED: b"M",
    ChangedPaths.DELETED: b"D",
    ChangedPaths.TYPE_CHANGE: b"T",
    ChangedPaths.COPIED: b"C",
    ChangedPaths.RENAMED: b"R",
}


_NULL = b"/dev/null"


async def compare_changes(call: Call, request: DiffBlobsRequest) -> AsyncGenerator[BlobDiff, None]:
    """A result for each change, two for a type change.

    Raises Internal when git fails, after an empty result for each change that it did not reach.
    """
    hashes = object_format(call.repository.path)
    changes = request.raw_info
    entries = [entry for number, change in enumerate(changes) for entry in _entries(number, change)]
    if not all(_is_sound(change, hashes) for change in changes):
        for entry in entries:
            yield BlobDiff(entry.from_id, entry.to_id)
        raise _failure(_FATAL)
    temporary = area(call.repository.storage_path)
    async with quarantine(call.repository.git, call.repository.relative_path, temporary) as further:
        left, right = await asyncio.to_thread(_write_trees, further.path, hashes, entries)
        command = Command(
            name="diff-tree",
            flags=["-r", "-p", "--no-renames", *commands.mode_flags(request), *commands.TEXTUAL],
            args=[left, right],
        )
        limit = request.patch_bytes_limit
        parser = PatchParser(iter(entries), Limits(enforce=limit != 0, max_patch_bytes=limit + 1))
        async with call.app.git.start(
            further.repository, command, config=commands.CONFIG, stderr=Stderr.KEEP
        ) as process:
            async for chunk in process.chunks():
                for file in parser.feed(chunk):
                    yield _result(file, changes, limit)
            status = await process.wait()
        for file in parser.finish():
            yield _result(file, changes, limit)
        if status != 0:
            raise _failure(status)


def _failure(status: int) -> Internal:
    return Internal(f"waiting for git-diff-pairs: {describe_status(status)}")


def _entries(number: int, change: ChangedPaths) -> tuple[Entry, ...]:
    """What git is to compare; a mode of 0 says that there is nothing on that side."""
    name = _name(number)
    entry = Entry(
        name,
        name,
        change.old_blob_id,
        change.new_blob_id,
        0 if change.status == ChangedPaths.ADDED else change.old_mode,
        0 if change.status == ChangedPaths.DELETED else change.new_mode,
        _LETTERS.get(change.status, b""),
        header_of(name),
    )
    return halves(entry) if _changes_type(entry) else (entry,)


def _changes_type(entry: Entry) -> bool:
    kinds = {_kind(entry.old_mode), _kind(entry.new_mode)}
    return kinds.issubset(_KINDS) and (entry.status == b"T" or len(kinds) > 1)


def _is_sound(change: ChangedPaths, hashes: ObjectFormat) -> bool:
    """Whether git would take the change."""
    ids = (change.old_blob_id, change.new_blob_id)
    return (
        change.status in _LETTERS
        and all(is_oid(oid.lower().encode(), hashes) for oid in ids)
        and all(mode == 0 or _kind(mode) in _KINDS for mode in (change.old_mode, change.new_mode))
        and b"\0" not in change.path + change.old_path
    )


def _write_trees(folder: str, hashes: ObjectFormat, entries: Sequence[Entry]) -> tuple[str, str]:
    left = [(_canonical(each.old_mode), each.from_path, each.from_id) for each in entries if each.old_mode]
    right = [(_canonical(each.new_mode), each.to_path, each.to_id) for each in entries if each.new_mode]
    return write_tree(folder, hashes, left), write_tree(folder, hashes, right)


def _canonical(mode: int) -> int:
    """The mode that git has for a file of that one."""
    kind = _kind(mode)
    if kind != stat.S_IFREG:
        return kind
    return 0o100755 if mode & stat.S_IXUSR else 0o100644


def _kind(mode: int) -> int:
    return mode & _KIND


def _name(number: int) -> bytes:
    # In git's order of names, too, 9 comes before 10.
    return b"%08d" % number


def _result(file: FileDiff, changes: Sequence[ChangedPaths], limit: int) -> BlobDiff:
    entry = file.entry
    found = BlobDiff.of(file, entry.from_id, entry.to_id)
    if not file.binary:
        return found
    line = _binary_line(entry, changes[int(entry.to_path)])
    over = limit != 0 and len(line) > limit
    return found._replace(patch=b"" if over else line, patch_size=len(line), over_limit=over)


def _binary_line(entry: Entry, change: ChangedPaths) -> bytes:
    """What git says of binary files, with the names that they have in the request."""
    left = quote(b"a/" + (change.old_path or change.path)) if entry.old_mode else _NULL
    right = quote(b"b/" + change.path) if entry.new_mode else _NULL
    return b"Binary files %s and %s differ\n" % (left, right)
