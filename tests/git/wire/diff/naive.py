"""The rules of diff-conflicts.md 1, line by line as they stand there; for output that is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitaly_py.git.wire.diff.entries import NOTHING, Entry, parse_entries
from gitaly_py.git.wire.diff.limits import Limits
from gitaly_py.git.wire.diff.parser import FileDiff

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def parse(output: bytes, limits: Limits) -> list[FileDiff]:
    """The files of a diff."""
    lines: list[bytes] = _LINE.findall(output)
    entries: list[Entry] = []
    while lines and lines[0] != b"\n":
        entries += parse_entries(lines.pop(0))
    blocks: list[list[bytes]] = []
    for line in lines[1:]:
        if line.startswith(b"diff --git "):
            blocks.append([])
        blocks[-1].append(line)
    return list(_files(entries, blocks, limits))


def _files(entries: list[Entry], blocks: list[list[bytes]], limits: Limits) -> Iterator[FileDiff]:
    files = lines = size = 0
    done = skip = False
    for entry in entries:
        if done:
            return
        files += 1
        if not blocks or blocks[0][0].rstrip(b"\n") != entry.header:
            yield FileDiff(entry)
            continue
        kept, block_lines, block_bytes, added, removed, binary = _collected(blocks.pop(0))
        patch = b"" if skip else kept
        lines += block_lines
        size += block_bytes
        collapsed = too_large = overflow = False
        if (
            limits.collapse
            and block_lines > 0
            and (
                files > limits.safe_max_files or lines > limits.safe_max_lines or size > limits.safe_max_bytes
            )
        ):
            lines -= block_lines
            size -= len(patch)
            patch = b""
            collapsed = True
        if limits.enforce:
            if len(patch) >= _patch_limit(entry.to_path, limits):
                lines -= block_lines
                size -= len(patch)
                patch = b""
                too_large = True
            if files > limits.max_files or lines >= limits.max_lines or size >= limits.max_bytes:
                overflow = True
                if limits.collect_all_paths:
                    patch = b""
                    skip = True
                else:
                    done = True
                    yield FileDiff(NOTHING, overflow=True)
                    continue
        yield FileDiff(entry, patch, len(kept), binary, added, removed, collapsed, too_large, overflow)


def _collected(block: list[bytes]) -> tuple[bytes, int, int, int, int, bool]:
    kept = b""
    lines = size = added = removed = 0
    binary = False
    for line in block:
        if line.startswith(b"@@"):
            kept += line
            continue
        if not kept and line.startswith((b"---", b"+++")):
            continue
        if line.startswith((b"+", b"-", b" ", b"\\", b"Binary")) or line.rstrip(b"\n") == b"~":
            kept += line
            lines += 1
            size += len(line)
            added += line.startswith(b"+")
            removed += line.startswith(b"-")
            binary = binary or line.startswith(b"Binary")
    return kept, lines, size, added, removed, binary


def _patch_limit(path: bytes, limits: Limits) -> int:
    name = path.split(b"/")[-1]
    extension = b"." + name.split(b".")[-1] if b"." in name else name
    return limits.by_extension.get(extension, limits.max_patch_bytes)
