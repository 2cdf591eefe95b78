"""Packing: sizes, order, first and last fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.pb.blob_pb2 import GetBlobRequest, GetBlobResponse
from gitaly_py.pb.commit_pb2 import (
    GetTreeEntriesRequest,
    ListCommitsRequest,
    ListCommitsResponse,
    TreeEntry,
)
from gitaly_py.pb.ref_pb2 import (
    ListBranchNamesContainingCommitRequest,
    ListBranchNamesContainingCommitResponse,
)
from gitaly_py.pb.shared_pb2 import GitCommit, PaginationCursor
from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest, InfoRefsResponse
from gitaly_py.rpc.packer import (
    CHUNK_BYTES,
    Encoded,
    EncodedMessage,
    First,
    Last,
    Packer,
    field_prefixes,
    varint,
)
from gitaly_py.rpc.service import Rpc, Service


def rpc_of(service: Service) -> Rpc:
    return next(iter(service.rpcs.values()))


def commits() -> Rpc:
    service = Service("CommitService")

    @service.rpc()
    async def list_commits(call: Any, request: ListCommitsRequest) -> AsyncIterator[GitCommit]:
        yield GitCommit()

    return rpc_of(service)


def entries() -> Rpc:
    service = Service("CommitService")

    @service.rpc()
    async def get_tree_entries(call: Any, request: GetTreeEntriesRequest) -> AsyncIterator[TreeEntry]:
        yield TreeEntry()

    return rpc_of(service)


def advertisement() -> Rpc:
    service = Service("SmartHTTPService")

    @service.rpc()
    async def info_refs_upload_pack(call: Any, request: InfoRefsRequest) -> AsyncIterator[bytes]:
        yield b""

    return rpc_of(service)


async def packed(rpc: Rpc, items: Iterable[Any]) -> list[Any]:
    sent: list[bytes] = []

    async def send(*parts: bytes) -> None:
        sent.append(b"".join(parts))

    packer = Packer(rpc, send)
    for item in items:
        await packer.put(item)
    await packer.flush()
    return [rpc.method.response.FromString(message) for message in sent]


async def test_messages_are_sent_as_they_are_in_their_place() -> None:
    first, second = (ListCommitsResponse(commits=[GitCommit(id=name)]) for name in "ac")
    encoded = EncodedMessage(second.SerializeToString())

    messages = await packed(commits(), [first, GitCommit(id="b"), encoded, GitCommit(id="d")])

    assert [[commit.id for commit in message.commits] for message in messages] == [["a"], ["b"], ["c"], ["d"]]


async def test_small_items_share_one_message() -> None:
    messages = await packed(commits(), [GitCommit(id="a"), GitCommit(id="b")])
    assert messages == [ListCommitsResponse(commits=[GitCommit(id="a"), GitCommit(id="b")])]


async def test_nothing_yields_no_message() -> None:
    assert await packed(commits(), []) == []


async def test_a_message_is_sent_before_its_items_reach_a_mebibyte() -> None:
    item = GitCommit(body=b"x" * (CHUNK_BYTES // 2 - 3))
    assert item.ByteSize() > CHUNK_BYTES // 2
    messages = await packed(commits(), [item] * 3)
    assert [len(message.commits) for message in messages] == [1, 1, 1]


async def test_an_item_beyond_the_limit_goes_alone_without_an_empty_message_before_it() -> None:
    messages = await packed(commits(), [GitCommit(body=b"x" * (CHUNK_BYTES + 1)), GitCommit(id="b")])
    assert [len(message.commits) for message in messages] == [1, 1]


async def test_first_and_last_fields_ride_on_the_first_and_last_items() -> None:
    big = TreeEntry(path=b"x" * (CHUNK_BYTES - 100))
    cursor = PaginationCursor(next_cursor="c")
    messages = await packed(entries(), [First(pagination_cursor=cursor), big, big])
    assert [message.HasField("pagination_cursor") for message in messages] == [True, False]
    messages = await packed(
        commits(), [GitCommit(body=big.path), GitCommit(body=big.path), Last(pagination_cursor=cursor)]
    )
    assert [message.HasField("pagination_cursor") for message in messages] == [False, True]
    assert [len(message.commits) for message in messages] == [1, 1]


async def test_bytes_are_cut_at_128_kib() -> None:
    messages = await packed(advertisement(), [b"x" * 300_000, b""])
    assert [len(message.data) for message in messages] == [131072, 131072, 37856]
    assert isinstance(messages[0], InfoRefsResponse)


async def test_a_whole_message_goes_after_what_is_pending() -> None:
    messages = await packed(commits(), [GitCommit(id="a"), ListCommitsResponse(), GitCommit(id="b")])
    assert [[commit.id for commit in message.commits] for message in messages] == [["a"], [], ["b"]]


async def test_repeated_bytes_take_plain_values() -> None:
    service = Service("RefService")

    @service.rpc()
    async def list_branch_names_containing_commit(
        call: Any, request: ListBranchNamesContainingCommitRequest
    ) -> AsyncIterator[bytes]:
        yield b""

    messages = await packed(rpc_of(service), [b"main", [b"a", b"b"]])
    assert messages == [ListBranchNamesContainingCommitResponse(branch_names=[b"main", b"a", b"b"])]


async def test_encoded_items_are_taken_as_they_are() -> None:
    prefix = field_prefixes(1)
    one = GitCommit(id="a" * 40).SerializeToString()
    messages = await packed(commits(), [Encoded(prefix(len(one)) + one), GitCommit(id="b")])
    assert [commit.id for commit in messages[0].commits] == ["a" * 40, "b"]


async def test_an_item_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError):
        await packed(commits(), [3])


async def test_a_response_without_a_repeated_field_takes_whole_messages() -> None:
    service = Service("BlobService")

    @service.rpc()
    async def get_blob(call: Any, request: GetBlobRequest) -> AsyncIterator[GetBlobResponse]:
        yield GetBlobResponse()

    messages = await packed(
        rpc_of(service), [GetBlobResponse(oid="x", size=3, data=b"abc"), GetBlobResponse(data=b"d")]
    )
    assert [message.data for message in messages] == [b"abc", b"d"]


@given(st.lists(st.binary(max_size=3000), max_size=50))
@settings(max_examples=50)
async def test_no_item_is_lost_or_moved(bodies: list[bytes]) -> None:
    messages = await packed(commits(), [GitCommit(body=body) for body in bodies])
    assert [commit.body for message in messages for commit in message.commits] == bodies


@given(
    st.lists(st.lists(st.sampled_from([0, 10, 3000, CHUNK_BYTES // 3, CHUNK_BYTES]), max_size=5), max_size=4)
)
@settings(max_examples=50)
async def test_a_list_of_items_is_packed_as_the_items_are(sizes: list[list[int]]) -> None:
    lists = [[GitCommit(body=b"x" * size).SerializeToString() for size in some] for some in sizes]

    messages = await packed(commits(), lists)

    singly = [[GitCommit(body=b"x" * size)] for some in sizes for size in some]
    assert messages == await packed(commits(), singly)


@given(st.integers(min_value=0, max_value=2**35))
def test_varints_equal_protobufs_own(value: int) -> None:
    assert varint(value) == _VarintBytes(value)


async def test_large_messages_are_put_together_in_rounds_of_their_own() -> None:
    rounds = 0
    sent: list[int] = []

    async def send(*_: bytes) -> None:
        sent.append(rounds)

    async def stream() -> None:
        packer = Packer(commits(), send)
        await packer.put([bytes(CHUNK_BYTES // 2)] * 6)
        await packer.flush()

    async def count() -> None:
        nonlocal rounds
        while len(sent) < 12:
            rounds += 1
            await asyncio.sleep(0)

    await asyncio.gather(count(), stream(), stream())

    assert len(sent) == len(set(sent)) == 12, sent
