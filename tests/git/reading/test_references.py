"""References, by every kind of reader."""

from __future__ import annotations

import os
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest

from gitaly_py.git.reading.errors import HeadUnreadable
from gitaly_py.git.reading.interface import Head, Reader, Reference
from gitaly_py.git.reading.refs import FileReferences
from gitaly_py.git.reading.stamps import stamp
from tests.support.repositories import Repo
from tests.support.stamps import settle


def write(repo: Repo, name: str | bytes, text: str | bytes) -> None:
    path = os.path.join(os.fsencode(repo.path), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(text.encode() if isinstance(text, str) else text)


async def listed(reader: Reader, prefix: bytes = b"refs/", **options: object) -> dict[bytes, str]:
    return {name: oid async for batch in reader.references(prefix, **options) for name, oid in batch}


@pytest.fixture
def oid(repo: Repo) -> str:
    return repo.commit("one\n", {"file": b"1"})


@pytest.fixture
def oids(repo: Repo, oid: str) -> list[str]:
    return [oid, repo.commit("two\n"), repo.commit("three\n")]


async def test_a_listing_equals_gits(reader: Reader, repo: Repo, oids: list[str]) -> None:
    for number, name in enumerate(
        [b"refs/heads/main", b"refs/heads/a/b", b"refs/heads/a-b", b"refs/tags/v\xff\xfe", b"refs/x"]
    ):
        repo.ref(name, oids[number % 3])
    repo.git("pack-refs", "--all")
    repo.ref("refs/heads/a/b", oids[2])
    repo.ref("refs/heads/loose", oids[0])
    repo.tag("annotated", oids[0])

    found = await listed(reader)

    assert found == repo.references()
    assert list(found) == sorted(found)
    assert list(await listed(reader, descending=True)) == sorted(found, reverse=True)


async def test_a_prefix_ends_anywhere(reader: Reader, repo: Repo, oid: str) -> None:
    names = [b"refs/heads/fo", b"refs/heads/foo/bar", b"refs/heads/g", b"refs/heads/fp", b"refs/tags/fo"]
    for name in names[:3]:
        repo.ref(name, oid)
    repo.git("pack-refs", "--all")
    for name in names[3:]:
        repo.ref(name, oid)

    assert list(await listed(reader, b"refs/heads/fo")) == [b"refs/heads/fo", b"refs/heads/foo/bar"]
    assert list(await listed(reader, b"refs/heads/foo/")) == [b"refs/heads/foo/bar"]
    assert list(await listed(reader, b"refs/heads/f")) == [*sorted(names[:2]), b"refs/heads/fp"]
    assert list(await listed(reader, b"refs/heads")) == sorted([*names[:3], names[3]])
    assert await listed(reader, b"refs/heads/zz") == {}
    assert await listed(reader, b"main") == {}
    assert len(await listed(reader, b"re")) == 5


async def test_two_thousand_references_come_in_order_from_any_point(
    reader: Reader, repo: Repo, oids: list[str]
) -> None:
    names = [b"refs/heads/branch-%04d" % number for number in range(2000)]
    lines = [b"create %s %s\n" % (name, oids[0].encode()) for name in names]
    repo.git("update-ref", "--stdin", stdin=b"".join(lines))
    repo.git("pack-refs", "--all")
    for name in (names[0], names[1000], names[1999], b"refs/heads/branch-0500x"):
        repo.ref(name, oids[1])
    repo.git("update-ref", "-d", names[7])
    expected = repo.references()

    assert await listed(reader) == expected
    order = list(expected)
    for at in (0, 1, 6, 500, 998, 1998, 1999):
        assert list(await listed(reader, after=order[at])) == order[at + 1 :]
        assert list(await listed(reader, after=order[at], descending=True)) == order[:at][::-1]
    assert list(await listed(reader, after=names[7])) == order[order.index(names[8]) :]
    assert next(iter(await listed(reader, b"refs/heads/", after=b"refs/heads"))) == names[0]


async def test_a_short_page_needs_only_a_small_batch(reader: Reader, repo: Repo, oid: str) -> None:
    lines = [f"create refs/heads/{number:05} {oid}\n" for number in range(3000)]
    repo.git("update-ref", "--stdin", stdin="".join(lines))
    repo.git("pack-refs", "--all")

    async with aclosing(reader.references(b"refs/heads/")) as batches:
        first = await anext(batches)

    assert first.names[0] == b"refs/heads/00000"
    assert len(first.names) == len(first.oids) == len(first.peeled)


async def test_symbolic_references_have_the_value_of_their_target(
    reader: Reader, repo: Repo, oid: str
) -> None:
    repo.ref("refs/heads/main", oid)
    repo.git("pack-refs", "--all")
    repo.symref("refs/heads/one", "refs/heads/main")
    repo.symref("refs/heads/two", "refs/heads/one")
    repo.symref("refs/heads/dangling", "refs/heads/none")
    repo.symref("refs/heads/circle", "refs/heads/circle2")
    repo.symref("refs/heads/circle2", "refs/heads/circle")

    assert await listed(reader) == dict.fromkeys(
        [b"refs/heads/main", b"refs/heads/one", b"refs/heads/two"], oid
    )
    assert await reader.reference(b"refs/heads/two") == Reference(b"refs/heads/two", oid, b"refs/heads/main")
    assert await reader.reference(b"refs/heads/main") == Reference(b"refs/heads/main", oid, None)
    for name in (b"refs/heads/dangling", b"refs/heads/circle"):
        assert await reader.reference(name) is None


async def test_broken_files_are_skipped_and_hide_the_packed_value(
    reader: Reader, repo: Repo, oid: str
) -> None:
    for name in ("refs/heads/broken", "refs/heads/whole", "refs/heads/empty"):
        repo.ref(name, oid)
    repo.git("pack-refs", "--all")
    write(repo, "refs/heads/broken", "not an id\n")
    write(repo, "refs/heads/empty", "")
    write(repo, "refs/heads/whole.lock", oid)
    write(repo, "refs/heads/bad..name", oid)
    write(repo, "refs/heads/.hidden", oid)

    assert await listed(reader) == {b"refs/heads/whole": oid}
    assert await reader.reference(b"refs/heads/broken") is None
    assert await reader.reference(b"refs/heads/empty") is None


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"main",
        b"refs/heads",
        b"refs/heads/",
        b"refs/heads/*",
        b"refs/ /heads",
        b"refs/../HEAD",
        b"/refs/heads/main",
        b"refs/heads/main\0",
        b"refs/heads/main/x",
        b"refs/heads/" + b"x" * 5000,
        b"-x",
        b"refs/heads/main.lock",
        b"refs/heads/@{0}",
        b"refs/heads/ma?n",
        b"refs//heads/main",
    ],
    ids=lambda name: repr(name)[:40],
)
async def test_no_such_reference(reader: Reader, repo: Repo, oid: str, name: bytes) -> None:
    repo.ref("refs/heads/main", oid)
    write(repo, "refs/heads/main.lock", oid)

    assert await reader.reference(name) is None


async def test_names_need_not_be_utf8(reader: Reader, repo: Repo, oid: str) -> None:
    name = b"refs/heads/caf\xe9'\"$;"
    repo.ref(name, oid)
    assert await reader.reference(name) == Reference(name, oid, None)

    repo.git("pack-refs", "--all")
    assert await reader.reference(name) == Reference(name, oid, None)
    assert await listed(reader, b"refs/heads/caf\xe9") == {name: oid}


async def test_what_changes_between_two_reads_is_seen(reader: Reader, repo: Repo, oids: list[str]) -> None:
    for old, new in pairwise([*oids, *oids, *oids]):
        repo.ref("refs/heads/main", new)
        assert (await reader.reference(b"refs/heads/main")).oid == new
        repo.git("pack-refs", "--all")
        assert await listed(reader) == {b"refs/heads/main": new}
        repo.ref("refs/heads/main", old)
        assert await listed(reader) == {b"refs/heads/main": old}

    repo.git("update-ref", "-d", "refs/heads/main")
    assert await reader.reference(b"refs/heads/main") is None
    assert await listed(reader) == {}


async def test_head_tells_its_branch_born_or_not(reader: Reader, repo: Repo, oid: str) -> None:
    assert await reader.head() == Head(b"refs/heads/main", None)
    assert await reader.reference(b"HEAD") is None

    repo.ref("refs/heads/main", oid)
    assert await reader.head() == Head(b"refs/heads/main", oid)
    assert await reader.reference(b"HEAD") == Reference(b"HEAD", oid, b"refs/heads/main")

    repo.symref("refs/heads/alias", "refs/heads/main")
    repo.symref("HEAD", "refs/heads/alias")
    assert await reader.head() == Head(b"refs/heads/main", oid)


async def test_a_detached_head_has_no_branch(reader: Reader, repo: Repo, oid: str) -> None:
    write(repo, "HEAD", oid + "\n")

    assert await reader.head() == Head(None, oid)
    assert await reader.reference(b"HEAD") == Reference(b"HEAD", oid, None)


async def test_a_damaged_head_is_an_error(reader: Reader, repo: Repo) -> None:
    write(repo, "HEAD", "garbage\n")

    with pytest.raises(HeadUnreadable, match="exit status 128"):
        await reader.head()


async def test_references_are_found_by_their_value_or_what_they_peel_to(
    reader: Reader, repo: Repo, oids: list[str]
) -> None:
    tag = repo.tag("v1", oids[0])
    for number, name in enumerate(["a", "b", "c", "d"]):
        repo.ref(f"refs/heads/{name}", oids[number % 2])
    repo.ref(f"refs/heads/{oids[0]}", oids[2])
    repo.symref("refs/heads/s", "refs/heads/c")
    repo.git("pack-refs", "--all")
    repo.ref("refs/heads/a", oids[2])
    repo.ref("refs/heads/e", oids[0])

    found = await reader.references_to(oids[0])

    assert [each.name for each in found] == [
        b"refs/heads/c",
        b"refs/heads/e",
        b"refs/heads/s",
        b"refs/tags/v1",
    ]
    assert [each.oid for each in found] == [oids[0], oids[0], oids[0], tag]
    assert found[2].target == b"refs/heads/c"
    assert await reader.references_to("f" * repo.format.hex_length) == []


async def test_a_loose_tag_leads_to_what_it_peels_to(reader: Reader, repo: Repo, oids: list[str]) -> None:
    tag = repo.tag("v1", oids[0])
    repo.tag("other", oids[1])
    repo.tag("light", oids[0], None)
    if repo.format.name == "sha1":
        repo.tag("nested", tag, kind="tag")
    expected = repo.git_bytes("for-each-ref", "--format=%(refname)", f"--points-at={oids[0]}").splitlines()

    found = [each.name for each in await reader.references_to(oids[0])]

    assert set(found) - {b"refs/tags/nested"} == set(expected)
    assert found == sorted(found)


async def test_packed_tags_are_found_without_peeled_values(
    reader: Reader, repo: Repo, oids: list[str]
) -> None:
    tag = repo.tag("v1", oids[0])
    repo.git("update-ref", "-d", "refs/tags/v1")
    write(repo, "packed-refs", f"{tag} refs/tags/v1\n")

    assert [each.name for each in await reader.references_to(oids[0])] == [b"refs/tags/v1"]


async def test_malformed_lines_of_packed_refs_are_left_out(sha1: Repo) -> None:
    write(sha1, "packed-refs", "# pack-refs with: peeled fully-peeled sorted \nnot a line\n")
    write(sha1, "refs/heads/x", "1" * 40)
    references = FileReferences(sha1.path, 40)

    assert [name async for batch in references.references() for name in batch.names] == [b"refs/heads/x"]
    assert references.lookup(b"refs/heads/a") is None


async def test_a_reference_to_a_missing_object_is_listed(reader: Reader, repo: Repo) -> None:
    missing = "4" * repo.format.hex_length
    write(repo, "refs/heads/gone", missing + "\n")

    assert await listed(reader) == {b"refs/heads/gone": missing}
    assert (await reader.reference(b"refs/heads/gone")).oid == missing
    assert await reader.info(b"gone") is None


async def test_what_a_call_has_found_it_does_not_look_for_again(sha1: Repo) -> None:
    oids = sha1.history(2, "refs/heads/main")
    settle(sha1.path)
    folder = stamp(sha1.path)
    assert folder is not None
    references = FileReferences(sha1.path, 40)
    steady = references.steady(folder)
    assert steady.first([b"refs/heads/main"]) == oids[1]

    sha1.ref("refs/heads/main", oids[0])
    sha1.ref("refs/heads/other", oids[0])

    assert await steady.head() == Head(b"refs/heads/main", oids[1])
    assert await steady.reference(b"refs/heads/other") == Reference(b"refs/heads/other", oids[0], None)
    assert references.steady(folder).first([b"refs/heads/main"]) == oids[0], "that is another call"


async def test_a_packed_value_is_found_once_a_call_and_is_that_of_the_name(sha1: Repo) -> None:
    oids = sha1.history(2, "refs/heads/main")
    sha1.git("pack-refs", "--all")
    settle(sha1.path)
    folder = stamp(sha1.path)
    assert folder is not None
    steady = FileReferences(sha1.path, 40).steady(folder)
    assert steady.first([b"HEAD"]) == oids[1]
    assert await steady.head() == Head(b"refs/heads/main", oids[1])
    assert steady.first([b"refs/main", b"refs/heads/main"]) == oids[1]

    os.unlink(f"{sha1.path}/packed-refs")

    assert await steady.head() == Head(b"refs/heads/main", oids[1])
    assert await steady.reference(b"refs/heads/main") == Reference(b"refs/heads/main", oids[1], None)
