"""RefService/FindAllTags (ref-blob.md 5.4, 4.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindAllTagsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import PaginationParameter, SignatureType, Tag
from tests.support.daemon import Daemon
from tests.support.references import for_each_ref, varied, write
from tests.support.repositories import EPOCH, Repo
from tests.support.status import collect, refused

SortBy = FindAllTagsRequest.SortBy


async def tags(daemon: Daemon, repo: Repo, **fields: Any) -> list[Tag]:
    request = FindAllTagsRequest(repository=repo.message, **fields)
    messages = await collect(daemon.stub(RefServiceStub).FindAllTags(request))
    return [tag for message in messages for tag in message.tags]


async def names(daemon: Daemon, repo: Repo, **fields: Any) -> list[bytes]:
    return [tag.name for tag in await tags(daemon, repo, **fields)]


async def only_tag(daemon: Daemon, repo: Repo) -> Tag:
    [tag] = await tags(daemon, repo)
    return tag


@pytest.mark.parametrize("packed", [False, True, None], ids=["loose", "packed", "mixed"])
async def test_every_tag_is_listed_with_the_commit_it_leads_to(
    daemon: Daemon, any_format_repo: Repo, packed: bool | None
) -> None:
    repo = varied(any_format_repo, packed=packed)

    found = await tags(daemon, repo)

    expected = for_each_ref(repo, "refs/tags/")
    assert [(b"refs/tags/" + tag.name, tag.id) for tag in found] == [(name, oid) for name, oid, _ in expected]
    for tag, (_, oid, peeled) in zip(found, expected, strict=True):
        final = peeled or oid
        is_commit = repo.git("cat-file", "-t", final) == "commit"
        assert tag.target_commit.id == (final if is_commit else "")
        assert tag.HasField("target_commit") == is_commit


@pytest.mark.parametrize("direction", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize(
    ("key", "sort"),
    [("REFNAME", "refname"), ("CREATORDATE", "creatordate"), ("VERSION_REFNAME", "version:refname")],
)
async def test_sorting_is_gits(
    daemon: Daemon, any_format_repo: Repo, key: str, sort: str, direction: str
) -> None:
    repo = varied(any_format_repo)
    minus = "-" if direction == "DESCENDING" else ""

    found = await names(daemon, repo, sort_by=SortBy(key=key, direction=direction))

    expected = for_each_ref(repo, f"--sort={minus}{sort}", "refs/tags/")
    assert [b"refs/tags/" + name for name in found] == [each.name for each in expected]


async def test_an_annotated_tag_has_message_and_tagger(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit("the commit\n")
    tag_oid = any_format_repo.tag("v1", oid, "release\n\nnotes\n\n", tagger="Some One <one@example.com>")

    tag = await only_tag(daemon, any_format_repo)

    assert (tag.name, tag.id, tag.message, tag.message_size) == (b"v1", tag_oid, b"release\n\nnotes", 14)
    assert (tag.tagger.name, tag.tagger.email, tag.tagger.timezone) == (
        b"Some One",
        b"one@example.com",
        b"+0000",
    )
    assert tag.tagger.date.seconds > EPOCH
    assert tag.target_commit.subject == b"the commit"


async def test_identities_are_mapped(daemon: Daemon, any_format_repo: Repo) -> None:
    mailmap = {".mailmap": b"New Name <new@example.com> <author@example.com>\n"}
    any_format_repo.tag("v1", any_format_repo.commit(files=mailmap, ref="refs/heads/main"))

    tag = await only_tag(daemon, any_format_repo)

    assert (tag.tagger.name, tag.target_commit.author.name) == (b"New Name", b"New Name")


async def test_a_lightweight_tag_has_only_its_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit()
    any_format_repo.tag("v1", oid, None)

    tag = await only_tag(daemon, any_format_repo)

    assert (tag.name, tag.id, tag.target_commit.id) == (b"v1", oid, oid)
    assert (tag.message, tag.message_size, tag.HasField("tagger")) == (b"", 0, False)


async def test_tags_are_peeled_through_any_number_of_tags(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = target = any_format_repo.commit()
    kind = "commit"
    for number in range(20):
        target, kind = any_format_repo.tag(f"level-{number:02}", target, kind=kind), "tag"

    found = await tags(daemon, any_format_repo)

    assert [tag.target_commit.id for tag in found] == [oid] * 20


async def test_a_tag_of_a_blob_has_no_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    blob = any_format_repo.blob(b"content")
    any_format_repo.tag("light", blob, None)
    any_format_repo.tag("annotated", blob, kind="blob")

    annotated, light = await tags(daemon, any_format_repo)

    assert light == Tag(name=b"light", id=blob)
    assert annotated.message == b"release"
    assert not annotated.HasField("target_commit")


async def test_very_many_tags_of_all_kinds_are_those_of_git(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oids = repo.history(3)
    blob = repo.blob(b"content")
    signed = repo.tag("signed", oids[1], b"m\n-----BEGIN PGP SIGNATURE-----\nx\n")
    kinds = [repo.tag("plain", oids[0]), oids[0], signed, repo.tag("of-tag", signed, kind="tag"), blob]
    kinds += [
        repo.tag("of-blob", blob, kind="blob"),
        repo.tag("of-tree", repo.git("rev-parse", f"{oids[0]}^{{tree}}"), kind="tree"),
    ]
    lines = [f"create refs/tags/{number:04} {kinds[number % 7]}\n" for number in range(1400)]
    repo.git("update-ref", "--stdin", stdin="".join(lines[::2]).encode())
    repo.git("pack-refs", "--all")
    repo.git("update-ref", "--stdin", stdin="".join(lines[1::2]).encode())

    found = await tags(daemon, repo)

    expected = for_each_ref(repo, "refs/tags/")
    assert [(b"refs/tags/" + tag.name, tag.id) for tag in found] == [(name, oid) for name, oid, _ in expected]
    commits = {peeled or oid for _, oid, peeled in expected} & set(oids)
    finals = [peeled or oid for _, oid, peeled in expected]
    assert [tag.target_commit.id for tag in found] == [oid if oid in commits else "" for oid in finals]
    by_id = {tag.id: tag for tag in found}
    assert by_id[signed].signature_type == SignatureType.PGP
    assert by_id[kinds[0]].message == b"release"
    assert [tag.HasField("tagger") for tag in found] == [tag.id not in (oids[0], blob) for tag in found]


@pytest.mark.parametrize("kind", ["commit", "tag", "blob"])
async def test_a_tag_whose_target_is_missing_is_an_error(
    daemon: Daemon, any_format_repo: Repo, kind: str
) -> None:
    data = "object {}\ntype {}\ntag v1\ntagger A <a@b> 1 +0000\n\nm\n"
    missing = "1" * any_format_repo.format.hex_length
    tag = any_format_repo.git(
        "hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=data.format(missing, kind).encode()
    )
    write(any_format_repo, "refs/tags/v1", tag + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await tags(daemon, any_format_repo)


async def test_long_texts_are_cut_and_their_sizes_told(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(b"s" * 11_000 + b"\n")
    any_format_repo.tag("v1", oid, b"m" * 11 * 1024 + b"\n")

    tag = await only_tag(daemon, any_format_repo)

    assert (tag.message, tag.message_size) == (b"m" * 10_240, 11_264)
    assert (len(tag.target_commit.body), tag.target_commit.body_size) == (10_240, 11_001)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("text\n-----BEGIN PGP SIGNATURE-----\nx\n", SignatureType.PGP, id="PGP"),
        pytest.param("text\n-----BEGIN SIGNED MESSAGE-----\nx\n", SignatureType.X509, id="X509"),
        pytest.param("text\n-----BEGIN SSH SIGNATURE-----\nx\n", SignatureType.SSH, id="SSH"),
        pytest.param("-----BEGIN PGP SIGNATURE-----\nx\n", SignatureType.NONE, id="at the start"),
        pytest.param("text\n", SignatureType.NONE, id="none"),
    ],
)
async def test_the_kind_of_signature_is_told(
    daemon: Daemon, repo: Repo, message: str, expected: SignatureType
) -> None:
    repo.tag("v1", repo.commit(), message)

    tag = await only_tag(daemon, repo)

    assert tag.signature_type == expected
    assert tag.message == message.rstrip("\n").encode()


async def test_two_references_to_one_tag_object_are_two_tags(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.tag("one", any_format_repo.commit())
    any_format_repo.ref("refs/tags/two", oid)

    assert [(tag.name, tag.id) for tag in await tags(daemon, any_format_repo)] == [
        (b"one", oid),
        (b"two", oid),
    ]


async def test_a_tag_named_like_an_object_is_not_resolved_by_its_name(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    other, oid = any_format_repo.commit("other\n"), any_format_repo.commit("right\n")
    any_format_repo.ref(f"refs/tags/{other}", oid)

    tag = await only_tag(daemon, any_format_repo)

    assert (tag.name, tag.target_commit.id) == (other.encode(), oid)


@pytest.mark.parametrize(
    ("sort_by", "token", "limit", "expected"),
    [
        pytest.param(SortBy(), "", 2, ["1.0", "V1"], id="first page"),
        pytest.param(SortBy(), "v1.0", 2, ["v1.10", "v1.2"], id="in the middle"),
        pytest.param(SortBy(direction="DESCENDING"), "v1.2", 2, ["v1.10", "v1.0"], id="backwards"),
        pytest.param(SortBy(key="VERSION_REFNAME"), "v1.2", 2, ["v1.2-rc1", "v1.10"], id="versions"),
        pytest.param(SortBy(), "v9", 2, [], id="at the end"),
        pytest.param(SortBy(), "v10", 100, ["v9"], id="large limit"),
        pytest.param(SortBy(), "", 0, [], id="limit 0"),
        pytest.param(SortBy(), "v10", -1, ["v9"], id="no limit"),
    ],
)
async def test_pages(
    daemon: Daemon, repo: Repo, sort_by: SortBy, token: str, limit: int, expected: list[str]
) -> None:
    oid = repo.commit()
    for name in ("v1.0", "v1.2", "v1.10", "v1.2-rc1", "v9", "v10", "1.0", "V1"):
        repo.tag(name, oid, None)
    page = PaginationParameter(limit=limit, page_token=token and f"refs/tags/{token}")

    found = await names(daemon, repo, sort_by=sort_by, pagination_params=page)

    assert found == [name.encode() for name in expected]


@pytest.mark.parametrize("key", SortBy.Key.keys())
@pytest.mark.parametrize(
    ("token", "limit"), [("refs/tags/absent", 1), ("v1", 1), ("refs/heads/main", 1), ("refs/tags/v1", 0)]
)
async def test_a_token_that_is_not_listed_is_refused(
    daemon: Daemon, repo: Repo, key: str, token: str, limit: int
) -> None:
    repo.tag("v1", repo.commit(ref="refs/heads/main"))
    page = PaginationParameter(limit=limit, page_token=token)

    async with refused(StatusCode.INVALID_ARGUMENT, "could not find page token"):
        await tags(daemon, repo, sort_by=SortBy(key=key), pagination_params=page)


@pytest.mark.parametrize(
    ("sort_by", "text"),
    [
        pytest.param(SortBy(key=9), "unsupported sorting key: 9", id="key"),
        pytest.param(SortBy(key=9, direction=5), "unsupported sorting direction: 5", id="direction first"),
    ],
)
async def test_an_unknown_order_is_refused(daemon: Daemon, repo: Repo, sort_by: SortBy, text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await tags(daemon, repo, sort_by=sort_by)


@pytest.mark.parametrize("key", SortBy.Key.keys())
async def test_a_tag_of_a_missing_object_is_an_error(daemon: Daemon, any_format_repo: Repo, key: str) -> None:
    write(any_format_repo, "refs/tags/broken", "1" * any_format_repo.format.hex_length + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await tags(daemon, any_format_repo, sort_by=SortBy(key=key))


async def test_an_empty_repository_has_no_tags(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await tags(daemon, any_format_repo) == []
