"""Answers to ls-refs, put together of parts that are kept each for itself.

A part is good as long as the references that it shows are as they were. So what changes in one place (a
branch is pushed) leaves the others (all tags) alone, and clients that ask for different things share parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from gitaly_py.git.reading.errors import ReadingError
from gitaly_py.git.reading.libgit2 import LibGit2Reader
from gitaly_py.git.wire.objects import OBJECT_FORMATS
from gitaly_py.git.wire.pktline import FLUSH
from gitaly_py.packs.advertising.answers import Answer, Cut
from gitaly_py.packs.advertising.asking import Asking, fits, packed_size
from gitaly_py.packs.advertising.configuration import Facts
from gitaly_py.packs.advertising.following import Early
from gitaly_py.packs.advertising.keeping import Entry, Kept, Shared
from gitaly_py.packs.advertising.lines import Undecided
from gitaly_py.packs.advertising.listing import listed, size
from gitaly_py.packs.advertising.survey import Survey, survey
from gitaly_py.packs.advertising.wanted import HEAD, Wanted
from gitaly_py.storage.repository import Repository

_BROKEN_LISTED: Final = (2, 34)
"""From it ls-refs lists references without a look at their objects."""

_LONG: Final = 1 << 20
"""Bytes of an answer that is kept as a whole as well, since to copy it takes a millisecond."""

Surveys = Mapping[bytes, Survey]


class Made(NamedTuple):
    """Parts of an answer. by: who made some of them: `git`, `process` or nobody (`memory`).

    whole: the answer itself, where git has made all of it.
    """

    parts: Mapping[bytes, Entry]
    by: str
    whole: Answer | None = None


class Listings:
    """Answers to ls-refs. kept: where they are kept."""

    def __init__(self, asking: Asking, kept: Kept) -> None:
        self._asking = asking
        self._kept = kept
        self._shared: Shared[Made] = Shared()

    async def answer(
        self, repository: Repository, facts: Facts, wanted: Wanted, early: Early
    ) -> tuple[Sequence[bytes], str] | None:
        """The answer but for what `early` has got, and who made it, see Made.

        None if git fails, or has too much to say. Raises AnswerEnded.
        """
        whole = _Key(repository.path, wanted, whole=True)
        kept = await self._kept.valid(whole)
        if kept is not None and isinstance(kept.content, Answer):
            # Whoever asks again is likely not the last, and one piece is sent with less work than many.
            return (kept.content.whole(),), "memory"
        known = await self._known(repository, wanted, wanted.parts)
        missing = [part for part in wanted.parts if part not in known]
        made = await self._shared_made(_Question(repository, facts, wanted, early), missing)
        if made is None:
            return None
        parts = {**known, **made.parts}
        answer = made.whole
        if answer is None:
            found = [piece for part in wanted.parts for piece in parts[part].pieces]
            answer = Answer([b"".join([*found, FLUSH])], wanted.parts, _hex_length(wanted))
        if answer.size >= _LONG:
            states = [state for entry in parts.values() for state in entry.states]
            self._kept.keep(whole, Entry(states, answer))
        return _behind(answer.pieces, early.given), made.by

    async def _known(
        self, repository: Repository, wanted: Wanted, parts: Sequence[bytes]
    ) -> dict[bytes, Entry]:
        found: dict[bytes, Entry] = {}
        for part in parts:
            entry = await self._kept.valid(_key(repository, wanted, part))
            if entry is not None:
                found[part] = entry
        return found

    async def _shared_made(self, question: _Question, missing: list[bytes]) -> Made | None:
        if not missing:
            return Made({}, "memory")
        repository, facts, wanted, _ = question
        reader = self._reader(repository, facts)
        surveys: dict[bytes, Survey] = {}
        for part in missing:
            surveys[part] = await survey(repository.path, facts, part)
            _follow(surveys[part], reader)
            await asyncio.sleep(0)
        key = (repository.path, wanted, *missing)
        states = [each.state for each in surveys.values()]
        return await self._shared.get(key, states, lambda: self._made(question, surveys, reader))

    async def _made(self, question: _Question, surveys: Surveys, reader: LibGit2Reader | None) -> Made | None:
        repository, _, wanted, early = question
        # Others may have made them while this call looked at the references.
        known = await self._known(repository, wanted, list(surveys))
        missing = [part for part in surveys if part not in known]
        made = {} if reader is None else await _in_process(reader, surveys, missing, wanted)
        contents: dict[bytes, bytes | Cut] = dict(made)
        left = [part for part in missing if part not in made]
        whole = None
        if left:
            # To put together what git can say at once takes longer than git.
            everything = missing == list(wanted.parts)
            asked = missing if everything else left
            answer = await self._by_git(question, asked, reader, early if everything else None)
            if answer is None:
                return None
            contents.update((part, Cut(answer, part)) for part in asked)
            whole = answer if everything else None
        entries = {part: Entry([surveys[part].state], content) for part, content in contents.items()}
        for part, entry in entries.items():
            self._kept.keep(_key(repository, wanted, part), entry)
        return Made(known | entries, "git" if left else "process" if made else "memory", whole)

    async def _by_git(
        self, question: _Question, parts: list[bytes], reader: LibGit2Reader | None, early: Early | None
    ) -> Answer | None:
        size = _size(question.repository, reader, parts)
        if not fits(size):
            return None
        wanted = question.wanted
        # What git adds to an answer that is nearly too long may make it so, and then nobody may have got any.
        first = early if size >= _LONG and fits(2 * size) else None
        said = await self._asking.answer(question.repository.git, wanted.request(parts), first)
        return None if said is None else Answer(said, parts, _hex_length(wanted))

    def _reader(self, repository: Repository, facts: Facts) -> LibGit2Reader | None:
        """None where git has to be asked for everything."""
        if facts != ("sha1", "files") or self._asking.git.version_tuple < _BROKEN_LISTED:
            return None
        reader = repository.reader()
        return reader if isinstance(reader, LibGit2Reader) and reader.files is not None else None


async def _in_process(
    reader: LibGit2Reader, surveys: Surveys, parts: Sequence[bytes], wanted: Wanted
) -> dict[bytes, bytes]:
    """Those of some parts that can be answered without git."""
    made: dict[bytes, bytes] = {}
    for part in parts:
        with suppress(Undecided, ReadingError, OSError):
            made[part] = await listed(reader, surveys[part], part, wanted)
    return made


class _Question(NamedTuple):
    """What one caller wants. early: gets the beginning of a long answer before its end is known."""

    repository: Repository
    facts: Facts
    wanted: Wanted
    early: Early


class _Key(NamedTuple):
    """What an entry is found by. whole: it is an answer, not a part of one."""

    path: str
    wanted: Wanted
    whole: bool = False


def _key(repository: Repository, wanted: Wanted, part: bytes) -> _Key:
    unborn = wanted.unborn and part == HEAD
    return _Key(repository.path, wanted._replace(parts=(part,), unborn=unborn))


def _follow(found: Survey, reader: LibGit2Reader | None) -> None:
    """Looks at where symbolic references lead, most of all for the sake of the state."""
    files = None if reader is None else reader.files
    try:
        found.follow(lambda name: None if files is None else files.packed().find(name))
    except (ReadingError, OSError):
        found.give_up()


def _size(repository: Repository, reader: LibGit2Reader | None, parts: list[bytes]) -> int:
    """Bytes that git will say of some parts, about."""
    if reader is None or reader.files is None:
        return packed_size(repository.path)
    try:
        packed = reader.files.packed()
    except (ReadingError, OSError):
        # Git, too, will find it damaged.
        return 0
    return sum(size(packed, part) for part in parts)


def _behind(pieces: Sequence[bytes], given: int) -> Sequence[bytes]:
    """What of the pieces follows the first `given` bytes of them, which is where a piece ends."""
    for number, piece in enumerate(pieces):
        if given <= 0:
            return pieces[number:]
        given -= len(piece)
    return ()


def _hex_length(wanted: Wanted) -> int:
    return OBJECT_FORMATS[wanted.object_format].hex_length
