"""RefService/GetTagSignatures (ref-blob.md 5.12)."""

from __future__ import annotations

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import GetTagSignaturesRequest, GetTagSignaturesResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Signature = GetTagSignaturesResponse.TagSignature
FAILED = "cat-file iterator stop: rev-list pipeline command: exit status 128, stderr: "
PGP = b"-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----"
X509 = b"-----BEGIN SIGNED MESSAGE-----\nMI\n-----END SIGNED MESSAGE-----"


async def signatures(daemon: Daemon, repo: Repo, *revisions: str) -> list[Signature]:
    request = GetTagSignaturesRequest(repository=repo.message, tag_revisions=revisions)
    messages = await collect(daemon.stub(RefServiceStub).GetTagSignatures(request))
    assert all(message.signatures for message in messages)
    return [signature for message in messages for signature in message.signatures]


async def ids(daemon: Daemon, repo: Repo, *revisions: str) -> list[str]:
    return [signature.tag_id for signature in await signatures(daemon, repo, *revisions)]


def by_git(repo: Repo, *revisions: str) -> list[str]:
    flags = ["--objects", "--no-object-names", "--filter=object:type=tag", "--filter-provided-objects"]
    return repo.git("rev-list", *flags, *revisions, "--").split()


async def test_signature_and_content_are_taken_apart(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commit = repo.commit("m\n", {".mailmap": b"Mapped <author@example.com>\n"}, ref="refs/heads/main")
    large = b"x" * 1_500_000
    for message, signature in (
        (b"text\n" + PGP + b"\n", PGP),
        (b"text\n" + X509 + b"\n", X509),
        (b"text\n" + PGP, PGP),
        (PGP + b"\n\n", PGP + b"\n"),
        (b"text\n-----BEGIN nothing known\n", b"-----BEGIN nothing known"),
        (b"first " + PGP + b"\nsecond\n" + X509 + b"\n", PGP + b"\nsecond\n" + X509),
        (b"text\n", b""),
        (b"", b""),
        (large + b"\n" + PGP + b"\n", PGP),
    ):
        tag = repo.tag("v1", commit, message)
        raw = repo.git_bytes("cat-file", "tag", tag)
        content = raw[: raw.find(b"-----BEGIN")] if signature else raw
        expected = Signature(tag_id=tag, signature=signature, content=content)
        assert await signatures(daemon, repo, tag) == [expected]
        assert await signatures(daemon, repo, tag, "--not", "--branches") == [expected]


async def test_a_signature_at_the_very_beginning_is_content(daemon: Daemon, repo: Repo) -> None:
    # git has no such tag: it is here for the rule that position 0 is no signature.
    tag = repo.object("tag", PGP + b"\n")

    assert await signatures(daemon, repo, tag) == [Signature(tag_id=tag, content=PGP + b"\n")]


async def test_revisions_mean_what_they_mean_to_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commits = repo.history(4, "refs/heads/main")
    a = repo.tag("a", commits[0])
    b = repo.tag("b", a, kind="tag")
    c = repo.tag("c", commits[2])
    blob = repo.tag("of-blob", repo.blob(b"x"), kind="blob")
    repo.tag("light", commits[1], None)
    repo.tag("unreferenced", commits[1])
    repo.git("update-ref", "-d", "refs/tags/unreferenced")

    for revisions in (
        [a], [b], ["b"], [c[:10], "b"], ["a", "b"], ["b", "a", "a"], ["b^{}"], ["b^{tag}"],
        ["main"], ["light"], [blob], ["main^{tree}"], [commits[0], "refs/tags/c"],
        ["--tags"], ["--all"], ["--branches"], ["--tags=[bc]"], ["--glob=refs/tags/o*"],
        ["b", "--not", "a"], ["b", "^b"], ["b", "c", "--not", "b"], ["--all", "--not", "--tags=c"],
        ["b", "--not", "--all"], ["--not", "--all"], ["a..c"], ["c..a"], ["a...c"], ["c^!"], ["c^@"],
        ["--not", "a..c", "--not", "c"],
    ):  # fmt: skip
        assert await ids(daemon, repo, *revisions) == by_git(repo, *revisions), revisions


async def test_an_unreferenced_tag_is_new(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commit = repo.commit(ref="refs/heads/main")
    repo.tag("old", commit)
    new = repo.object("tag", f"object {commit}\ntype commit\ntag new\n\nnew\n".encode())

    assert await ids(daemon, repo, new, "old", "--not", "--all") == [new]


async def test_hundreds_of_tags_arrive(daemon: Daemon, repo: Repo) -> None:
    commit = repo.commit(ref="refs/heads/main")
    head = f"object {commit}\ntype commit\ntag t\n\n".encode()
    tags = [repo.object("tag", head + b"%d" % number + b"x" * 5000) for number in range(500)]

    assert await ids(daemon, repo, *tags) == tags
    assert await ids(daemon, repo, *tags, "--not", "--all") == tags


@pytest.mark.parametrize(
    ("revisions", "text"),
    [
        ([], "missing revisions"),
        (["v1", ""], "invalid revision: empty revision"),
        (["--remotes"], "invalid revision: revision can't start with '-'"),
        (["main:file"], "invalid revision: revision can't contain ':'"),
        (["a\nb"], "invalid revision: revision can't contain whitespace"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revisions: list[str], text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await signatures(daemon, repo, *revisions)


async def test_what_cannot_be_resolved_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tag = repo.tag("v1", repo.commit(ref="refs/heads/main"))
    absent = "1" * repo.format.hex_length
    for revisions in ([absent], [tag, absent]):
        async with refused(StatusCode.INTERNAL, FAILED + f'"fatal: bad object {absent}\\n"'):
            await signatures(daemon, repo, *revisions)
    async with refused(StatusCode.INTERNAL, FAILED + "\"fatal: bad revision 'nope'\\n\""):
        await signatures(daemon, repo, "v1", "nope")


async def test_a_tag_of_nothing_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    absent = "1" * any_format_repo.format.hex_length
    tag = any_format_repo.tag("v1", absent, kind="tag")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await signatures(daemon, any_format_repo, tag)


async def test_a_short_id_of_several_objects_fails_as_in_git(daemon: Daemon, repo: Repo) -> None:
    short = repo.blob(b"142")[:4]
    assert repo.blob(b"784")[:4] == short

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ids(daemon, repo, short)
    assert raised.value.code() == StatusCode.INTERNAL
    assert (raised.value.details() or "").startswith(FAILED)
