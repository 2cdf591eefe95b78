"""Builds repositories for tests: real git makes them, our own writing of loose objects makes them fast.

Everything is deterministic: identities are fixed, and each commit or tag is a second younger than the last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.objects import OBJECT_FORMATS, ObjectFormat

GIT = shutil.which("git") or "git"
IDENTITY = "A U Thor <author@example.com>"
EPOCH = 1_700_000_000
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LANG": "en_US.UTF-8",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "A U Thor",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_AUTHOR_DATE": f"{EPOCH} +0000",
    "GIT_COMMITTER_NAME": "A U Thor",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "GIT_COMMITTER_DATE": f"{EPOCH} +0000",
}

Entry = bytes | tuple[str, bytes] | tuple[str, str]
"""A file's content, or (mode, content), or (mode, object id) for anything, such as a submodule."""


class Repo:
    """A repository on disk. Object ids are hex strings; names and paths may be str or bytes.

    message: how calls address it, when it lies in a daemon's storage.
    """

    message: Any = None

    def __init__(self, path: str | Path, object_format: ObjectFormat, *, bare: bool = True) -> None:
        self.path = str(path)
        self.format = object_format
        self.git_dir = self.path if bare else os.path.join(self.path, ".git")
        self._clock = EPOCH
        self._trees: dict[str, str] = {}

    @classmethod
    def init(
        cls, path: str | Path, object_format: str = "sha1", *, bare: bool = True, branch: str = "main"
    ) -> Repo:
        """A new, empty repository whose HEAD names `branch`."""
        flags = ["--quiet", "--template=", f"--object-format={object_format}", f"--initial-branch={branch}"]
        if bare:
            flags.append("--bare")
        subprocess.run([GIT, "init", *flags, str(path)], check=True, env=ENVIRONMENT)
        return cls(path, OBJECT_FORMATS[object_format], bare=bare)

    @classmethod
    def at(cls, path: str | Path) -> Repo:
        """A bare SHA-1 repository that someone else has made."""
        return cls(path, OBJECT_FORMATS["sha1"])

    @property
    def repository(self) -> GitRepository:
        """It, as the git layer addresses it."""
        return GitRepository(self.git_dir)

    def git(self, *args: str | bytes, stdin: str | bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Output of a git command without its last newline; raises CalledProcessError when it fails."""
        return (
            self.git_bytes(*args, stdin=stdin, env=env).decode("utf-8", "surrogateescape").removesuffix("\n")
        )

    def git_bytes(
        self, *args: str | bytes, stdin: str | bytes = b"", env: Mapping[str, str] | None = None
    ) -> bytes:
        """Output of a git command as it is."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        line = [GIT, "--git-dir", self.git_dir, *args]
        return subprocess.run(
            line, input=data, env={**ENVIRONMENT, **(env or {})}, check=True, capture_output=True
        ).stdout

    def object(self, kind: str, data: bytes) -> str:
        """Writes an object of any type, valid or not; returns its id."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        oid = hashlib.new(self.format.name, whole).hexdigest()
        path = Path(self.git_dir, "objects", oid[:2], oid[2:])
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return oid

    def blob(self, data: bytes) -> str:
        """Writes a blob."""
        return self.object("blob", data)

    def tree(self, files: Mapping[str | bytes, Entry]) -> str:
        """Writes the tree, with its subtrees, that holds `files` (by path)."""
        entries: dict[bytes, tuple[str, str]] = {}
        folders: dict[bytes, dict[str | bytes, Entry]] = {}
        for path, entry in files.items():
            name, slash, rest = os.fsencode(path).partition(b"/")
            if slash:
                folders.setdefault(name, {})[rest] = entry
            else:
                entries[name] = self._entry(entry)
        for name, content in folders.items():
            entries[name] = ("40000", self.tree(content))
        return self.raw_tree(
            [(mode, name, oid) for name, (mode, oid) in sorted(entries.items(), key=_tree_order)]
        )

    def raw_tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """Writes a tree of (mode, name, oid) exactly as given, in that order."""
        return self.object(
            "tree",
            b"".join(b"%s %s\0%s" % (m.encode(), name, bytes.fromhex(oid)) for m, name, oid in entries),
        )

    def commit(
        self,
        message: str | bytes = "subject\n",
        files: Mapping[str | bytes, Entry] | None = None,
        parents: Sequence[str] = (),
        ref: str | bytes | None = None,
        *,
        tree: str | None = None,
        author: str | bytes = IDENTITY,
        committer: str | bytes = IDENTITY,
        time: int | None = None,
        headers: bytes = b"",
    ) -> str:
        """Writes a commit, and points `ref` (a full name) at it.

        files: everything in its tree; without files and tree, the tree of the first parent, or the empty one.
        headers: whole header lines to add, each with its newline.
        """
        if tree is None and files is None and parents:
            tree = self._trees.get(parents[0]) or self.git("rev-parse", parents[0] + "^{tree}")
        tree = tree or self.tree(files or {})
        lines = [b"tree " + tree.encode()]
        lines += [b"parent " + parent.encode() for parent in parents]
        moment = self._tick() if time is None else time
        lines += [b"author " + _signed(author, moment), b"committer " + _signed(committer, moment)]
        head = b"".join(line + b"\n" for line in lines) + headers
        oid = self.object("commit", head + b"\n" + _encoded(message))
        self._trees[oid] = tree
        if ref is not None:
            self.ref(ref, oid)
        return oid

    def history(self, count: int, ref: str | bytes | None = None) -> list[str]:
        """`count` commits in a row, the oldest first, each with a file of its own content."""
        commits: list[str] = []
        for number in range(count):
            files: dict[str | bytes, Entry] = {"file": b"%d\n" % number}
            commits.append(self.commit(f"commit {number}\n", files, commits[-1:]))
        if ref is not None:
            self.ref(ref, commits[-1])
        return commits

    def tag(
        self,
        name: str | bytes,
        target: str,
        message: str | bytes | None = "release\n",
        *,
        kind: str = "commit",
        tagger: str | bytes | None = IDENTITY,
    ) -> str:
        """Writes a tag object of `target` and the reference `refs/tags/<name>`; returns what it points at.

        message: None makes a lightweight tag. tagger: None leaves the line out.
        """
        oid = target
        if message is not None:
            lines = [b"object " + target.encode(), b"type " + kind.encode(), b"tag " + _encoded(name)]
            if tagger is not None:
                lines.append(b"tagger " + _signed(tagger, self._tick()))
            oid = self.object("tag", b"\n".join(lines) + b"\n\n" + _encoded(message))
        self.ref(b"refs/tags/" + _encoded(name), oid)
        return oid

    def ref(self, name: str | bytes, oid: str) -> None:
        """Creates or moves a reference."""
        self.git("update-ref", name, oid)

    def symref(self, name: str | bytes, target: str | bytes) -> None:
        """Creates or moves a symbolic reference, such as HEAD."""
        self.git("symbolic-ref", name, target)

    def references(self) -> dict[bytes, str]:
        """All references under `refs/`, as git lists them."""
        lines = self.git_bytes("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        return {line.split(b" ", 1)[1]: line.split(b" ", 1)[0].decode() for line in lines}

    def _entry(self, entry: Entry) -> tuple[str, str]:
        if isinstance(entry, bytes):
            return "100644", self.blob(entry)
        mode, content = entry
        return mode, self.blob(content) if isinstance(content, bytes) else content

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def _tree_order(item: tuple[bytes, tuple[str, str]]) -> bytes:
    name, (mode, _) = item
    return name + b"/" if mode == "40000" else name


def _signed(identity: str | bytes, time: int) -> bytes:
    return b"%s %d +0000" % (_encoded(identity), time)


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
