"""RefService/GetTagMessages (ref-blob.md 5.13)."""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import GetTagMessagesRequest, GetTagMessagesResponse
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

PIECE = 128 * 1024


async def responses(daemon: Daemon, repo: Repo, *tag_ids: str) -> list[GetTagMessagesResponse]:
    request = GetTagMessagesRequest(repository=repo.message, tag_ids=tag_ids)
    return await collect(daemon.stub(RefServiceStub).GetTagMessages(request))


async def messages(daemon: Daemon, repo: Repo, *tag_ids: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for response in await responses(daemon, repo, *tag_ids):
        assert len(response.message) <= PIECE
        if response.tag_id:
            assert not response.message
            found.append((response.tag_id, b""))
        else:
            assert response.message
            found[-1] = (found[-1][0], found[-1][1] + response.message)
    return found


async def test_messages_are_whole_and_in_the_order_of_the_request(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    commit = repo.commit(ref="refs/heads/main")
    texts = [
        b"short\n",
        b"no line end",
        b"many line ends\n\n\n",
        b"long " * 4096 + b"\n",
        b"very long " * 100_000,
        b"",
        b"not utf-8 \xff\0\n",
        b"signed\n-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n",
    ]
    tags = [repo.tag(f"v{number}", commit, text) for number, text in enumerate(texts)]
    nested = repo.tag("nested", tags[0], b"nested\n", kind="tag")
    tags, texts = [nested, *tags, tags[0]], [b"nested\n", *texts, texts[0]]

    assert await messages(daemon, repo, *tags) == list(zip(tags, texts, strict=True))


async def test_any_revision_of_a_tag_will_do_and_is_echoed(daemon: Daemon, any_format_repo: Repo) -> None:
    tag = any_format_repo.tag("v1", any_format_repo.commit(), "text\n")
    given = ["v1", "refs/tags/v1", tag[:10], tag.upper(), "v1^{tag}"]

    assert await messages(daemon, any_format_repo, *given) == [(each, b"text\n") for each in given]


async def test_a_tag_without_message_has_only_its_id(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    head = f"object {repo.commit()}\ntype commit\ntag v1\n".encode()
    tag = repo.object("tag", head)

    assert await responses(daemon, repo, tag) == [GetTagMessagesResponse(tag_id=tag)]


async def test_no_ids_no_messages(daemon: Daemon, repo: Repo) -> None:
    assert await responses(daemon, repo) == []


async def test_what_is_no_tag_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commit = repo.commit("x\n", {"file": b"x"}, ref="refs/heads/main")
    tag = repo.tag("v1", commit)

    for revision, text in (
        (commit, "expected tag, got commit"),
        ("main:file", "expected tag, got blob"),
        ("v1^{}", "expected tag, got commit"),
        ("main^{tree}", "expected tag, got tree"),
        ("1" * repo.format.hex_length, "object not found"),
        ("nope", "object not found"),
        ("", "object not found"),
        ("--all", "object not found"),
    ):
        async with refused(StatusCode.INTERNAL, f"getting tag: {text}"):
            await responses(daemon, repo, tag, revision)


async def test_a_nul_byte_is_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "getting tag: revision must not contain NUL bytes"):
        await responses(daemon, repo, "v\x001")
