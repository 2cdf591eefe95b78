"""References read by `git for-each-ref`: the way to those that are in no files of their own (reftable)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gitaly_py.git.commands import DISABLED, Command
from gitaly_py.git.process import Git
from gitaly_py.git.reading.errors import HeadUnreadable
from gitaly_py.git.reading.interface import Head, Holders, Reference, References
from gitaly_py.git.reading.names import is_safe_name
from gitaly_py.git.repository import GitRepository

_VALUES = "--format=%(objectname) %(refname)"
_TARGETS = "--format=%(objectname) %(refname) %(symref)"
"""Neither needs the object, so a reference to a missing one is found, too (ref-blob.md 3.2)."""


class GitReferences:
    """The references of one repository. Nothing is kept between calls."""

    def __init__(self, git: Git, repository: GitRepository) -> None:
        self._git = git
        self._repository = repository

    async def reference(self, name: bytes) -> Reference | None:
        """See ReferenceReader."""
        if name == b"HEAD":
            head = await self.head()
            return Reference(name, head.oid, head.target) if head.oid else None
        if not name.startswith(b"refs/") or not is_safe_name(name):
            return None
        found = await self._listed(["--count=1"], [name])
        return found[0] if found and found[0].name == name else None

    async def head(self) -> Head:
        """See ReferenceReader."""
        symbolic = Command(name="symbolic-ref", flags=["--quiet"], args=["HEAD"], hooks=DISABLED)
        done = await self._git.run(self._repository, symbolic)
        if done.status == 0:
            target = done.stdout.removesuffix(b"\n")
            value = await self.reference(target)
            return Head(target, value.oid if value else None)
        detached = await self._git.run(
            self._repository, Command(name="rev-parse", flags=["--verify"], args=["HEAD"])
        )
        if detached.status != 0:
            raise HeadUnreadable
        return Head(None, detached.stdout.decode("ascii").strip())

    async def references(
        self, prefix: bytes = b"refs/", *, after: bytes = b"", descending: bool = False
    ) -> AsyncGenerator[References]:
        """See ReferenceReader."""
        if b"refs/".startswith(prefix):
            prefix = b"refs/"
        flags = [_VALUES, "--sort=-refname" if descending else "--sort=refname"]
        command = Command(name="for-each-ref", flags=flags, args=[prefix[: prefix.rfind(b"/") + 1]])
        async with self._git.start(self._repository, command) as process:
            async for lines in process.batches(b"\n"):
                batch = _columns(lines, prefix, after, descending=descending)
                if len(batch):
                    yield batch
            await process.check()

    async def holders(self, oid: str) -> Holders:
        """See ReferenceReader."""
        return Holders(await self._listed([("--points-at", oid)], [b"refs/"]), [])

    async def _listed(self, flags: list[str | tuple[str, str]], patterns: list[bytes]) -> list[Reference]:
        command = Command(name="for-each-ref", flags=[_TARGETS, *flags], args=patterns)
        done = (await self._git.run(self._repository, command)).check()
        fields = (line.split(b" ") for line in done.stdout.splitlines())
        return [Reference(name, oid.decode("ascii"), target or None) for oid, name, target in fields]


def _columns(lines: list[bytes], prefix: bytes, after: bytes, *, descending: bool) -> References:
    pairs = [line.split(b" ") for line in lines]
    wanted = [
        (oid, name)
        for oid, name in pairs
        if name.startswith(prefix) and (not after or (name < after if descending else name > after))
    ]
    return References(
        [name for _, name in wanted], [oid.decode("ascii") for oid, _ in wanted], [None] * len(wanted)
    )
