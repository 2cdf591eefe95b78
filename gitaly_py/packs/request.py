"""What a pack is asked for with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gitaly_py.git.commands import Command
from gitaly_py.git.repository import GitRepository
from gitaly_py.packs.errors import InvalidPackObjectsCommand

_NO_SHALLOW_FILE: Final = ("--shallow-file", "")


@dataclass(frozen=True)
class PackRequest:
    """One run of `git pack-objects`, as upload-pack asks for it (transport.md 7.1).

    place: identifies the repository among all storages. generation: of the repository when the request came
    in. args: what upload-pack passes, from an optional `--shallow-file`, "" and `pack-objects` on.
    stdin: revisions, up to their empty line.
    """

    repository: GitRepository
    place: str
    generation: int
    args: tuple[str, ...]
    stdin: bytes

    @cached_property
    def key(self) -> str:
        """Hex digest of all of it: who asks, and over which transport, makes no difference."""
        repository = self.repository
        described = (
            self.place,
            repository.path,
            repository.object_directory,
            repository.alternate_object_directories,
            self.generation,
            self.args,
        )
        # Only what has a length or quotes in front of the revisions, so that no two requests look alike.
        digest = hashlib.sha256(repr(described).encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
        digest.update(self.stdin)
        return digest.hexdigest()

    def command(self) -> Command:
        """The command to run. Raises InvalidPackObjectsCommand (transport.md 7.2)."""
        args = self.args
        has_no_shallow_file = args[:2] == _NO_SHALLOW_FILE
        if has_no_shallow_file:
            args = args[2:]
        if args[:1] != ("pack-objects",):
            raise InvalidPackObjectsCommand(self.args, "missing pack-objects")
        flags = args[1:]
        if not all(flag.startswith("-") for flag in flags):
            raise InvalidPackObjectsCommand(self.args, "non-flag argument")
        if "--stdout" not in flags:
            raise InvalidPackObjectsCommand(self.args, "missing --stdout")
        return Command(
            name="pack-objects",
            flags=["--stdout", *(flag for flag in flags if flag != "--stdout")],
            global_flags=_NO_SHALLOW_FILE if has_no_shallow_file else (),
        )
