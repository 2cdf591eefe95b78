"""RefService/FindTag (ref-blob.md 5.5, 4.2)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.errors_pb2 import ReferenceNotFoundError
from gitaly_py.pb.ref_pb2 import FindTagError, FindTagRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import SignatureType, Tag
from tests.support.daemon import Daemon
from tests.support.references import for_each_ref, varied, write
from tests.support.repositories import EPOCH, Repo
from tests.support.status import refused


async def find(daemon: Daemon, repo: Repo, name: str | bytes) -> Tag:
    raw = name.encode() if isinstance(name, str) else name
    request = FindTagRequest(repository=repo.message, tag_name=raw)
    return (await daemon.stub(RefServiceStub).FindTag(request)).tag


def not_found(name: bytes) -> FindTagError:
    return FindTagError(tag_not_found=ReferenceNotFoundError(reference_name=b"refs/tags/" + name))


@pytest.mark.parametrize("packed", [False, True, None], ids=["loose", "packed", "mixed"])
async def test_every_tag_is_found_by_its_name(
    daemon: Daemon, any_format_repo: Repo, packed: bool | None
) -> None:
    repo = varied(any_format_repo, packed=packed)

    for name, oid, peeled in for_each_ref(repo, "refs/tags/"):
        tag = await find(daemon, repo, name.removeprefix(b"refs/tags/"))
        final = peeled or oid
        is_commit = repo.git("cat-file", "-t", final) == "commit"
        assert (b"refs/tags/" + tag.name, tag.id) == (name, oid)
        assert tag.target_commit.id == (final if is_commit else "")
        assert tag.HasField("target_commit") == is_commit
        assert bool(tag.message) == bool(peeled)


async def test_an_annotated_tag_has_message_tagger_and_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit("the commit\n", ref="refs/heads/main")
    tag_oid = repo.tag("v1", oid, "release\n\nnotes\n\n", tagger="Some One <one@example.com>")

    for _ in range(2):
        tag = await find(daemon, repo, "v1")
        assert (tag.name, tag.id, tag.message, tag.message_size) == (b"v1", tag_oid, b"release\n\nnotes", 14)
        assert (tag.tagger.name, tag.tagger.email) == (b"Some One", b"one@example.com")
        assert (tag.tagger.date.seconds > EPOCH, tag.tagger.timezone) == (True, b"+0000")
        assert (tag.target_commit.id, tag.target_commit.subject) == (oid, b"the commit")


async def test_a_moved_tag_is_found_where_it_is(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    first, second = repo.history(2)
    for target in (first, second, repo.tag("other", second)):
        repo.ref("refs/tags/v1", target)
        repo.git("pack-refs", "--all")
        repo.ref("refs/tags/v1", target)
        assert (await find(daemon, repo, "v1")).id == target


async def test_a_new_mailmap_is_heeded(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit(ref="refs/heads/main")
    repo.tag("v1", oid)
    assert (await find(daemon, repo, "v1")).tagger.name == b"A U Thor"

    repo.commit("map\n", {".mailmap": b"New <author@example.com>\n"}, [oid], ref="refs/heads/main")

    tag = await find(daemon, repo, "v1")
    assert (tag.tagger.name, tag.target_commit.author.name) == (b"New", b"New")


async def test_odd_tag_objects_are_taken_as_they_are(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit()
    head = f"object {oid}\ntype commit\ntag other\n".encode()

    repo.ref("refs/tags/short", repo.object("tag", head + b"tagger hpa <hpa>\n\nmsg\n"))
    tag = await find(daemon, repo, "short")
    assert (tag.name, tag.message, tag.message_size) == (b"short", b"msg", 3)
    assert (tag.tagger.name, tag.tagger.email, tag.tagger.HasField("date")) == (b"hpa", b"hpa", False)

    repo.ref("refs/tags/none", repo.object("tag", head))
    tag = await find(daemon, repo, "none")
    assert (tag.message, tag.message_size, tag.HasField("tagger")) == (b"", 0, False)
    assert tag.target_commit.id == oid

    signed = head + b"gpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\nmsg\n"
    repo.ref("refs/tags/header", repo.object("tag", signed))
    assert (await find(daemon, repo, "header")).signature_type == SignatureType.NONE

    repo.tag("signed", oid, "msg\n-----BEGIN SSH SIGNATURE-----\nx\n")
    assert (await find(daemon, repo, "signed")).signature_type == SignatureType.SSH


async def test_long_texts_are_cut_and_their_sizes_told(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit(b"s" * 11_000 + b"\n")
    any_format_repo.tag("v1", oid, b"m" * 10_239 + b"\n" + b"m" * 1024 + b"\n\n")

    tag = await find(daemon, any_format_repo, "v1")

    assert (tag.message, tag.message_size) == (b"m" * 10_239 + b"\n", 11_264)
    assert (len(tag.target_commit.body), tag.target_commit.body_size) == (10_240, 11_001)


async def test_tags_are_peeled_through_any_number_of_tags(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = target = any_format_repo.commit()
    kind = "commit"
    for number in range(20):
        target, kind = any_format_repo.tag(f"level-{number}", target, kind=kind), "tag"

    assert (await find(daemon, any_format_repo, "level-19")).target_commit.id == oid


async def test_a_tag_named_like_an_object_is_not_resolved_by_its_name(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    other, oid = any_format_repo.commit("other\n"), any_format_repo.commit("right\n")
    any_format_repo.ref(f"refs/tags/{other}", oid)

    assert (await find(daemon, any_format_repo, other)).id == oid


async def test_only_tags_are_found(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit(ref="refs/heads/main")
    repo.ref("refs/tags/dir/v1", oid)
    repo.ref(b"refs/tags/\xff", oid)
    repo.ref("refs/tags/-x", oid)
    for name in (b"dir/v1", b"\xff", b"-x"):
        assert (await find(daemon, repo, name)).name == name

    for name in (
        b"main",
        b"heads/main",
        b"refs/tags/dir/v1",
        b"dir",
        b"dir/",
        b"v",
        b"../heads/main",
        b"-y",
        b" ",
    ):
        async with refused(StatusCode.NOT_FOUND, "tag does not exist", not_found(name)):
            await find(daemon, repo, name)


async def test_a_pattern_finds_the_first_match_as_git_tag_does(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit()
    for name in ("dir/v1", "v1", "v2", "w", "v1.0"):
        repo.ref(f"refs/tags/{name}", oid)

    for pattern in ("v*", "*1", "v?", "[uvw]", "w*", "\\w", "*", "dir*", "*.0", "v[!1]"):
        expected = repo.git_bytes("tag", "-l", pattern).split()[0]
        assert (await find(daemon, repo, pattern)).name == expected, pattern
    for pattern in ("x*", "V*", "[", "v1/*"):
        assert repo.git("tag", "-l", pattern) == ""
        async with refused(StatusCode.NOT_FOUND, "tag does not exist", not_found(pattern.encode())):
            await find(daemon, repo, pattern)


async def test_a_tag_of_a_missing_object_does_not_exist(daemon: Daemon, any_format_repo: Repo) -> None:
    write(any_format_repo, "refs/tags/broken", "1" * any_format_repo.format.hex_length + "\n")

    async with refused(StatusCode.NOT_FOUND, "tag does not exist", not_found(b"broken")):
        await find(daemon, any_format_repo, "broken")


async def test_a_tag_object_that_leads_to_a_missing_commit_is_an_error(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    any_format_repo.tag("broken", "1" * any_format_repo.format.hex_length)

    async with refused(StatusCode.INTERNAL, "object not found"):
        await find(daemon, any_format_repo, "broken")


async def test_bad_names_are_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "tag name is empty"):
        await find(daemon, repo, "")
    async with refused(StatusCode.INTERNAL, 'detected null byte in command argument "a\\x00b"'):
        await find(daemon, repo, "a\0b")
