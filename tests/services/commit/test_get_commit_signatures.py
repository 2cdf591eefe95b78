"""CommitService/GetCommitSignatures (commit.md 3.1)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import GetCommitSignaturesRequest, GetCommitSignaturesResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import CommitAuthor
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

SAMPLES = Path(__file__).parents[2] / "data" / "signing"
USER = GetCommitSignaturesResponse.SIGNER_USER
SYSTEM = GetCommitSignaturesResponse.SIGNER_SYSTEM
PGP = b"-----BEGIN PGP SIGNATURE-----\n\nabc\n=def\n-----END PGP SIGNATURE-----"


class Signed(NamedTuple):
    """What the messages for one commit say together."""

    commit_id: str
    signature: bytes
    signed_text: bytes
    signer: int = USER


async def responses(daemon: Daemon, repo: Repo, ids: Sequence[str]) -> list[GetCommitSignaturesResponse]:
    request = GetCommitSignaturesRequest(repository=repo.message, commit_ids=ids)
    return await collect(daemon.stub(CommitServiceStub).GetCommitSignatures(request))


async def signatures(daemon: Daemon, repo: Repo, *ids: str) -> list[Signed]:
    found: list[Signed] = []
    for message in await responses(daemon, repo, ids):
        if message.commit_id:
            assert not message.signed_text
            found.append(Signed(message.commit_id, message.signature, b"", message.signer))
        else:
            assert 0 < len(message.signed_text) <= 131_072
            assert message == GetCommitSignaturesResponse(signed_text=message.signed_text)
            found[-1] = found[-1]._replace(signed_text=found[-1].signed_text + message.signed_text)
    return found


def header(signature: bytes, name: bytes = b"gpgsig") -> bytes:
    """A signature as a commit's header."""
    return name + b" " + signature.removesuffix(b"\n").replace(b"\n", b"\n ") + b"\n"


def signed_commit(repo: Repo, text: bytes, signature: bytes, name: bytes = b"gpgsig") -> str:
    """The commit `text` with a signature as its last header."""
    head, message = text.split(b"\n\n", 1)
    return repo.object("commit", head + b"\n" + header(signature, name) + b"\n" + message)


async def test_a_signature_is_taken_out_of_the_text_that_it_signs(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    plain = repo.commit("subject\n\nbody\n", headers=b"encoding latin1\n")
    text = repo.git_bytes("cat-file", "commit", plain)
    ids = [signed_commit(repo, text, PGP, name) for name in (b"gpgsig", b"gpgsig-sha256")]

    assert await signatures(daemon, repo, *ids) == [Signed(oid, PGP, text) for oid in ids]


async def test_identities_are_the_commits_own(daemon: Daemon, repo: Repo) -> None:
    repo.commit("m\n", {".mailmap": b"Mapped <ann@example.com>\n"}, ref="refs/heads/main")
    oid = repo.commit("m\n", author="Ann <ann@example.com>", time=EPOCH, headers=header(PGP))

    first, _ = await responses(daemon, repo, [oid])

    date = {"seconds": EPOCH}
    assert first.author == CommitAuthor(name=b"Ann", email=b"ann@example.com", date=date, timezone=b"+0000")
    assert first.committer == CommitAuthor(
        name=b"A U Thor", email=b"author@example.com", date=date, timezone=b"+0000"
    )


async def test_commits_without_a_signature_and_missing_ones_are_left_out(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    signed = repo.commit("m\n", headers=header(PGP))
    ids = [
        "f" * repo.format.hex_length,
        repo.commit("gpgsig in the message\n"),
        repo.commit("m\n", headers=header(PGP, b"gpgsig-garbage")),
        repo.blob(b"gpgsig blob"),
        repo.tree({}),
        signed,
    ]

    assert [each.commit_id for each in await signatures(daemon, repo, *ids, signed)] == [signed, signed]
    assert await responses(daemon, repo, ids[:-1]) == []


async def test_only_the_first_of_several_signatures_is_given(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    second = PGP.replace(b"abc", b"xyz")
    headers = header(PGP) + header(second, b"gpgsig-sha256") + b"after x\n more\n"
    oid = repo.commit("m\n", headers=headers)
    raw = repo.git_bytes("cat-file", "commit", oid)
    text = raw.replace(header(PGP), b"").replace(header(second, b"gpgsig-sha256"), b"")

    assert await signatures(daemon, repo, oid) == [Signed(oid, PGP, text)]
    assert b"after x\n more\n" in text


async def test_an_unknown_kind_of_signature_is_given_as_well(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("m\n", headers=header(b"whatever"))

    [found] = await signatures(daemon, repo, oid)

    assert (found.signature, found.signer) == (b"whatever", USER)


async def test_long_messages_come_in_pieces(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit(b"x" * 3_000_000, headers=header(PGP))

    [found] = await signatures(daemon, repo, oid)

    assert found.signed_text == repo.git_bytes("cat-file", "commit", oid).replace(header(PGP), b"")


async def test_ids_must_be_whole(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    length = repo.format.hex_length
    signed = repo.commit("m\n", headers=header(PGP), ref="refs/heads/main")
    other = 104 - length
    bad = {
        "a17a9f6": f'"a17a9f6", expected length {length}, got 7',
        "": f'"", expected length {length}, got 0',
        "main": f'"main", expected length {length}, got 4',
        "a" * other: f'"{"a" * other}", expected length {length}, got {other}',
        "A" * length: f"\"{'A' * length}\", invalid character 'A'",
        "g" + "0" * (length - 1): f"\"g{'0' * (length - 1)}\", invalid character 'g'",
    }

    for oid, text in bad.items():
        async with refused(StatusCode.INVALID_ARGUMENT, f"invalid object ID: {text}"):
            await responses(daemon, repo, [signed, oid])
    async with refused(StatusCode.INVALID_ARGUMENT, "empty CommitIds"):
        await responses(daemon, repo, [])


@pytest_asyncio.fixture(scope="module")
async def signing(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon with an SSH key of its own that once had an OpenPGP key."""
    root = tmp_path_factory.mktemp("signing")
    key = root / "key"
    key.write_bytes((SAMPLES / "ssh_ed25519").read_bytes())
    rotated = [str(SAMPLES / name) for name in ("ssh_rsa", "pgp_rsa")]
    tables = f"[git]\nsigning_key = '{key}'\nrotated_signing_keys = {rotated}\n"
    started = Daemon(root, engine=engine, tables=tables).start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_what_a_key_of_the_daemon_signed_is_the_systems(
    signing: Daemon, daemon: Daemon, object_format: str
) -> None:
    repo = repository_in(signing.storage, object_format=object_format)
    text = (SAMPLES / f"commit_{object_format}").read_bytes()
    made = {
        name: (SAMPLES / f"commit_{object_format}.{name}.sig").read_bytes()
        for name in ("ssh_ed25519", "pgp_rsa")
    }
    own = [signed_commit(repo, text, signature) for signature in made.values()]
    changed = [signed_commit(repo, text + b"x", signature) for signature in made.values()]
    foreign = repo.commit("m\n", headers=header(PGP))

    found = await signatures(signing, repo, *own, *changed, foreign)

    assert [each.signer for each in found] == [SYSTEM, SYSTEM, USER, USER, USER]
    assert [each.signed_text for each in found[:2]] == [text, text]
    assert [each.signature + b"\n" for each in found[:2]] == list(made.values())

    elsewhere = repository_in(daemon.storage, object_format=object_format)
    oid = signed_commit(elsewhere, text, made["ssh_ed25519"])
    assert [each.signer for each in await signatures(daemon, elsewhere, oid)] == [USER]


async def test_an_unreadable_key_is_an_error(signing: Daemon) -> None:
    repo = repository_in(signing.storage)
    oid = repo.commit("m\n")
    key = signing.root / "key"
    os.rename(key, signing.root / "away")

    try:
        text = f"failed to parse signing key: open {key}: no such file or directory"
        async with refused(StatusCode.INTERNAL, text):
            await responses(signing, repo, [oid])
        key.write_bytes(b"garbage")
        text = f"failed to parse signing key: {key}: no OpenPGP data"
        async with refused(StatusCode.INTERNAL, text):
            await responses(signing, repo, [oid])
    finally:
        os.rename(signing.root / "away", key)
    assert await responses(signing, repo, [oid]) == []
