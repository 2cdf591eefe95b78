"""The LanguageCounter that is built in (commit.md 4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from gitaly_py.detection.builtin import snapshots
from gitaly_py.detection.builtin.attributes import NONE, attributes_of
from gitaly_py.detection.builtin.child import Child, detecting
from gitaly_py.detection.builtin.files import File, all_files, changed_files, named_attributes, sized
from gitaly_py.detection.builtin.samples import samples_of
from gitaly_py.detection.builtin.snapshots import Snapshot
from gitaly_py.detection.errors import UnknownLanguage
from gitaly_py.detection.interface import LanguageBytes
from gitaly_py.detection.rules.attributes import Attributes
from gitaly_py.detection.verdicts import CONTENT_NEEDED, packed
from gitaly_py.git.process import Git
from gitaly_py.storage.repository import Repository

_PATHS = 512
"""Files whose paths go to the child at a time."""

_SPOKEN_OF = b"linguist"
_LARGE_ATTRIBUTES = 1 << 20
"""Bytes of a `.gitattributes` that is taken to speak of languages without being read."""


class BuiltInLanguages:
    """Counts with the rules of `detection.rules`, in a child process for each repository."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def count(self, repository: Repository, commit: str) -> Sequence[LanguageBytes]:
        """See LanguageCounter. What was counted is kept in the repository; not what a quarantine shows."""
        quarantined = repository.git.object_directory or repository.git.alternate_object_directories
        kept = None if quarantined else await asyncio.to_thread(snapshots.load, repository)
        if kept is not None and kept.commit == commit:
            return kept.languages()
        async with detecting(self._git) as child:
            counting = _Counting(self._git, repository, child, commit)
            counted = await counting.since(kept) if kept is not None else None
            if counted is None:
                counted = await counting.all()
        if not quarantined:
            await asyncio.to_thread(snapshots.store, repository, counted)
        return counted.languages()


@dataclass(frozen=True, slots=True)
class _Counting:
    """One count, of the files of `commit`."""

    git: Git
    repository: Repository
    child: Child
    commit: str

    async def all(self) -> Snapshot:
        """All of them."""
        files = await all_files(self.git, self.repository, self.commit)
        sources = [file for file in files if named_attributes(file.path)]
        attributes = {file.path: file.oid for file in sources} if await self._matter(sources) else {}
        return await self._snapshot(await self._counted(files, attributes), attributes, {})

    async def since(self, kept: Snapshot) -> Snapshot | None:
        """Those that are others than in another commit; None if that does not tell all."""
        changes = await changed_files(self.git, self.repository, kept.commit, self.commit)
        if changes is None or any(map(named_attributes, changes)):
            return None
        blobs = {path: oid for path, oid in changes.items() if oid is not None}
        async with aclosing(sized(self.repository.reader(), blobs)) as found:
            files = [file async for file in found]
        counted = {path: value for path, value in kept.by_file.items() if path not in changes}
        counted |= await self._counted(files, kept.attributes)
        return await self._snapshot(counted, kept.attributes, kept.facts)

    async def _matter(self, sources: Sequence[File]) -> bool:
        """Whether any of the `.gitattributes` speaks of languages."""
        if any(file.size > _LARGE_ATTRIBUTES for file in sources):
            return True
        reader = self.repository.reader()
        async with aclosing(reader.read_each([file.oid.encode() for file in sources])) as blobs:
            return any([blob is not None and _SPOKEN_OF in blob.data async for blob in blobs])

    async def _counted(
        self, files: Sequence[File], sources: Mapping[bytes, str]
    ) -> dict[bytes, tuple[str, int]]:
        """Language and size of each file that counts, by path. Empty files add nothing to any."""
        left = [file for file in files if file.size]
        attributes: Mapping[bytes, Attributes] = {}
        if sources and left:
            paths = (file.path for file in left)
            attributes = await attributes_of(self.git, self.repository, sources, paths)
        counted: dict[bytes, tuple[str, int]] = {}
        for at in range(0, len(left), _PATHS):
            piece = left[at : at + _PATHS]
            verdicts = await self._judged(piece, attributes)
            for file, verdict in zip(piece, verdicts, strict=True):
                if verdict:
                    counted[file.path] = (verdict.decode("utf-8", "surrogateescape"), file.size)
        return counted

    async def _judged(self, files: Sequence[File], attributes: Mapping[bytes, Attributes]) -> list[bytes]:
        """The verdict on each file: by its path, and by its content where that is not enough."""
        about = [(file.path, packed(attributes.get(file.path, NONE))) for file in files]
        verdicts = await self.child.ask(b"paths", [field for pair in about for field in pair])
        open_ones = [at for at, verdict in enumerate(verdicts) if verdict == CONTENT_NEEDED]
        async with aclosing(samples_of(self.repository.reader(), [files[at] for at in open_ones])) as pieces:
            waiting = iter(open_ones)
            async for samples in pieces:
                asked = [(next(waiting), sample) for sample in samples]
                fields = [field for at, sample in asked for field in (*about[at], sample)]
                answers = await self.child.ask(b"samples", fields)
                for (at, _), answer in zip(asked, answers, strict=True):
                    verdicts[at] = answer
        return verdicts

    async def _snapshot(
        self,
        counted: Mapping[bytes, tuple[str, int]],
        attributes: Mapping[bytes, str],
        known: Mapping[str, tuple[int, str]],
    ) -> Snapshot:
        names = sorted({language for language, _ in counted.values()})
        facts = {name: known[name] for name in names if name in known}
        asked = [name for name in names if name not in known]
        answers = await self.child.ask(
            b"languages", [name.encode("utf-8", "surrogateescape") for name in asked]
        )
        for name, answer in zip(asked, map(json.loads, answers), strict=True):
            if answer is None:
                raise UnknownLanguage(name)
            number, color = answer
            facts[name] = (number, color)
        return Snapshot(self.commit, counted, attributes, facts)
