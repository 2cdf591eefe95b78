"""CommitLanguages (commit.md 4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from gitaly_py.detection.errors import UnknownLanguage
from gitaly_py.detection.interface import LanguageBytes
from gitaly_py.git.commands import Command
from gitaly_py.git.errors import describe_status
from gitaly_py.git.reading.branches import default_branch
from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.reading.revisions import parse
from gitaly_py.pb.commit_pb2 import CommitLanguagesRequest, CommitLanguagesResponse
from gitaly_py.rpc.status import Internal, during
from gitaly_py.services.app import Call
from gitaly_py.services.checks import revision
from gitaly_py.services.commit.service import service

_SINGLE = struct.Struct("<f")
_HEADS = b"refs/heads/"


@service.rpc(revision("revision", allow_empty=True))
async def commit_languages(call: Call, request: CommitLanguagesRequest) -> CommitLanguagesResponse:
    """The languages of a commit, that of the default branch if none is named; the largest share first."""
    reader = call.repository.reader()
    name = request.revision or await default_branch(reader) or b""
    commit = await _named_once(reader, name) or await _resolved(call, name)
    try:
        languages = await call.app.languages.of(call.repository, commit)
    except UnknownLanguage as error:
        raise Internal(f"linguist language_id fetch: {error}") from error
    return CommitLanguagesResponse(languages=_messages(languages))


async def _named_once(reader: Reader, name: bytes) -> str | None:
    """The value of the one reference that `name` stands for; None if there are several or only git knows."""
    plain = parse(name)
    if plain is None or plain.peels or plain.path is not None or plain.may_be_short:
        return None
    found = [await reader.reference(each) for each in plain.names()]
    references = [reference for reference in found if reference is not None]
    return references[0].oid if len(references) == 1 else None


async def _resolved(call: Call, name: bytes) -> str:
    """The id that git finds for `name`. Of a branch and a tag of one name it is the branch's."""
    done = await call.app.git.run(call.repository.git, Command(name="rev-parse", args=[name]))
    if done.status != 0:
        first = done.stderr.decode("utf-8", "replace").partition("\n")[0]
        raise Internal(f"looking up revision: {describe_status(done.status)}: {first}")
    if _warns(done.stderr, name):
        return await _branch(call, name)
    return done.stdout.decode("ascii", "replace").removesuffix("\n")


def _warns(stderr: bytes, name: bytes) -> bool:
    return b"refname '%s' is ambiguous" % name in stderr


async def _branch(call: Call, name: bytes) -> str:
    command = Command(name="for-each-ref", flags=["--format=%(objectname) %(refname)"], args=[b"**/" + name])
    with during("looking up revision"):
        done = (await call.app.git.run(call.repository.git, command)).check()
    for line in done.stdout.splitlines():
        oid, _, reference = line.partition(b" ")
        if reference.startswith(_HEADS):
            return oid.decode()
    raise Internal("looking up revision: refname is ambiguous")


def _messages(languages: Sequence[LanguageBytes]) -> list[CommitLanguagesResponse.Language]:
    total = sum(language.bytes for language in languages)
    messages = [
        CommitLanguagesResponse.Language(
            name=language.name,
            share=_single(100 * language.bytes) / _single(total),
            color=language.color,
            bytes=language.bytes,
            language_id=language.id,
        )
        for language in languages
    ]
    return sorted(messages, key=lambda message: (-message.share, message.name))


def _single(number: float) -> float:
    """The number as a float of 32 bits has it, so that shares equal Gitaly's to the last bit."""
    value: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    return value
