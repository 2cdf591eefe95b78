"""Reading very many objects, by every kind of reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from gitaly_py.git.reading.cache import Readers
from gitaly_py.git.reading.errors import AmbiguousRevision, RevisionHasNul
from gitaly_py.git.reading.interface import Reader
from tests.support.repositories import Repo

SOME, MANY = 30, 1500


async def batches(*groups: Sequence[bytes]) -> AsyncGenerator[Sequence[bytes]]:
    for group in groups:
        yield group


def encoded(oids: Sequence[str]) -> list[bytes]:
    return [oid.encode() for oid in oids]


@pytest.mark.parametrize("count", [SOME, MANY])
async def test_objects_come_in_the_order_asked_whatever_the_batches(
    reader: Reader, repo: Repo, count: int
) -> None:
    blobs = [repo.blob(b"%d " % number * 60) for number in range(SOME)]
    big = repo.blob(b"x" * 700_000)
    asked = [blobs[number % SOME] for number in range(count)] + [big]
    missing = b"2" * repo.format.hex_length
    groups = [encoded(asked[:7]), [], [missing, b"nope", b"x 1\ny", b""], encoded(asked[7:]), [missing]]

    async with aclosing(reader.read_batches(batches(*groups))) as found:
        contents = [each and each.data async for batch in found for each in batch]
    async with aclosing(reader.info_batches(batches(*groups))) as infos:
        sizes = [each and each.size async for batch in infos for each in batch]

    expected = [b"%d " % (number % SOME) * 60 for number in range(count)] + [b"x" * 700_000]
    assert contents == [*expected[:7], *[None] * 4, *expected[7:], None]
    assert sizes == [content and len(content) for content in contents]


async def test_names_are_resolved_in_batches_too(reader: Reader, repo: Repo) -> None:
    first, second = repo.history(2, ref="refs/heads/main")
    repo.tag("v1", first)
    names = [b"main", b"v1^{commit}", b"main~1", b"main:file", b"main:nope", second[:12].encode()] * 200

    async with aclosing(reader.read_batches(batches(names))) as found:
        oids = [each and each.oid async for batch in found for each in batch]

    file = repo.git("rev-parse", "main:file")
    assert oids == [second, first, first, file, None, second] * 200


async def test_nothing_asked_is_nothing_answered(reader: Reader) -> None:
    assert [batch async for batch in reader.read_batches(batches())] == []
    assert [batch async for batch in reader.info_batches(batches([]))] == []


@pytest.mark.parametrize("before", [0, MANY])
async def test_a_nul_byte_is_refused_wherever_it_comes(reader: Reader, repo: Repo, before: int) -> None:
    blob = repo.blob(b"x").encode()

    with pytest.raises(RevisionHasNul):
        [batch async for batch in reader.info_batches(batches([blob] * before, [b"a\0b"]))]
    assert await reader.info(blob) is not None


@pytest.mark.parametrize("before", [0, MANY])
async def test_an_ambiguous_id_is_an_error(reader: Reader, repo: Repo, before: int) -> None:
    found: dict[str, str] = {}
    number = 0
    while (oid := repo.blob(b"%d" % number))[:4] not in found:
        found[oid[:4]] = oid
        number += 1

    with pytest.raises(AmbiguousRevision):
        [batch async for batch in reader.info_batches(batches([oid.encode()] * before, [oid[:4].encode()]))]
    assert await reader.info(oid.encode()) is not None


async def test_a_revision_larger_than_a_pipe_waits_for_the_replies_before_it(
    reader: Reader, repo: Repo
) -> None:
    blobs = encoded([repo.blob(b"%d" % number + b"x" * 20_000) for number in range(SOME)])
    giant = b"main:" + b"y" * 300_000
    asked = [*blobs * 20, giant, giant, *blobs * 20]

    async with asyncio.timeout(30), aclosing(reader.read_batches(batches(asked))) as found:
        contents = [each and len(each.data) for batch in [each async for each in found] for each in batch]

    assert [size is not None for size in contents] == [revision != giant for revision in asked]


async def test_requests_that_fill_pages_of_the_pipe_by_half_do_not_fill_it(
    reader: Reader, repo: Repo
) -> None:
    # git is still writing these when the pipe to it would be full, and would read no further.
    blobs = encoded([repo.blob(b"%d" % number + b"x" * 300_000) for number in range(4)])
    half_a_page = (blobs * 20)[: 2100 // (repo.format.hex_length + len("contents \0"))]
    groups = [half_a_page] * 60

    async with asyncio.timeout(30), aclosing(reader.read_batches(batches(*groups))) as found:
        oids = [each and each.oid.encode() for batch in [each async for each in found] for each in batch]

    assert oids == half_a_page * 60


async def test_processes_that_answered_everything_are_used_again(
    reader: Reader, readers: Readers, repo: Repo
) -> None:
    blob = repo.blob(b"x").encode()

    async for _ in reader.info_batches(batches([blob] * MANY, [b"nope", b""])):
        pass
    assert len(readers.pool) == 1

    async for _ in reader.read_batches(batches([blob] * MANY, [b"nope", b""])):
        pass
    assert len(readers.pool) == 1


async def test_large_objects_are_not_collected(reader: Reader, repo: Repo) -> None:
    blobs = encoded([repo.blob(b"%d" % number + b"x" * 400_000) for number in range(4)])

    async with aclosing(reader.read_batches(batches(blobs * 200))) as found:
        largest = max([sum(len(each.data) for each in batch if each) async for batch in found])

    assert largest < 1_500_000


async def test_stopping_early_leaves_the_reader_usable(reader: Reader, repo: Repo) -> None:
    blobs = encoded([repo.blob(b"%d" % number * 3000) for number in range(SOME)])

    async with aclosing(reader.read_batches(batches(blobs * 50, blobs))) as found:
        async for batch in found:
            assert None not in batch
            if len(batch) > 64:
                break

    assert [each and each.oid.encode() async for each in reader.read_each(blobs)] == blobs
