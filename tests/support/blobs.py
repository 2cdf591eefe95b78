"""A history full of blobs, LFS pointers among them, and how git itself lists them."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.repositories import EPOCH, Entry, Repo

LFS_VERSION = b"version https://git-lfs.github.com/spec/v1\n"


class Found(NamedTuple):
    """A blob as a client sees it."""

    oid: str
    path: bytes


def pointer(number: int, *, padding: int = 0) -> bytes:
    """A valid LFS pointer to an object of `number` bytes. padding: bytes of a further line."""
    return LFS_VERSION + b"oid sha256:%064x\nsize %d\n" % (number, number) + b"#" * padding


def eventful(repo: Repo) -> dict[str, str]:
    """Fills `repo`: merges, renames, deletions, odd names, links, a submodule, tags of blobs and trees.

    Returns commits by a name each. HEAD is `refs/heads/main`.
    """
    submodule: Entry = ("160000", "1" * repo.format.hex_length)
    files: dict[str | bytes, Entry] = {
        "file": b"1\n",
        " leading blank": b"blank\n",
        "\ttab": b"tab\n",
        b"not-utf8-\xff": b"latin\n",
        "two words/inner file": b"words\n",
        "new\nline": b"newline\n",
        "same content": b"1\n",
        "empty": b"",
        "link": ("120000", b"file"),
        "run": ("100755", b"#!\n"),
        "sub": submodule,
        "deep/a/b/c": b"deep\n",
    }
    root = repo.commit("root\n", files, time=EPOCH)
    changed = repo.commit("changed\n", {**files, "file": b"2\n"}, [root], time=EPOCH + 1)
    moved = {**files, "moved/file": b"2\n", "deep/a/b/d": b"new\n"}
    del moved["file"]
    side = repo.commit("side\n", moved, [root], time=EPOCH + 2, ref="refs/heads/side")
    other_root = repo.commit("other root\n", {"other": b"other\n"}, time=EPOCH + 3, ref="refs/heads/other")
    merge = repo.commit(
        "merge\n",
        {**moved, "merged": b"m\n"},
        [changed, side, other_root],
        time=EPOCH + 4,
        ref="refs/heads/main",
    )
    repo.tag("v1", root)
    repo.tag("blob", repo.blob(b"tagged\n"), kind="blob")
    repo.tag("tree", repo.git("rev-parse", "main:deep"), kind="tree")
    return {"root": root, "changed": changed, "side": side, "other": other_root, "merge": merge}


def rev_list(repo: Repo, *arguments: str) -> list[Found]:
    """The blobs that git finds, in its order."""
    flags = ["--objects", "--in-commit-order", "--filter=object:type=blob", "--filter-provided-objects"]
    output = repo.git_bytes("rev-list", *flags, *arguments, "--")
    lines = (line.partition(b" ") for line in output.split(b"\n") if line)
    return [Found(oid.decode(), path) for oid, _, path in lines]
