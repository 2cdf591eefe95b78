"""GetCommitMessages (commit.md 3.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from gitaly_py.git.reading.errors import ObjectNotFound
from gitaly_py.git.wire.commits import split_message
from gitaly_py.pb.commit_pb2 import GetCommitMessagesRequest, GetCommitMessagesResponse
from gitaly_py.rpc.packer import STREAM_BYTES
from gitaly_py.rpc.status import during
from gitaly_py.services.app import Call
from gitaly_py.services.commit.service import service


@service.rpc()
async def get_commit_messages(
    call: Call, request: GetCommitMessagesRequest
) -> AsyncIterator[GetCommitMessagesResponse]:
    """The whole message of each commit, in the order of the request."""
    reader = call.repository.reader(steady=True)
    expected = iter(request.commit_ids)
    with during("failed to get commit message"):
        revisions = [f"{commit_id}^{{commit}}".encode() for commit_id in request.commit_ids]
        async with aclosing(reader.read_each(revisions)) as commits:
            async for commit in commits:
                commit_id = next(expected)
                if commit is None:
                    raise ObjectNotFound(commit_id)
                yield GetCommitMessagesResponse(commit_id=commit_id)
                _, message = split_message(commit.data)
                for piece in pieces(message):
                    yield GetCommitMessagesResponse(message=piece)


def pieces(data: bytes) -> Iterator[bytes]:
    """`data` in parts that fit a message of a byte stream."""
    return (data[at : at + STREAM_BYTES] for at in range(0, len(data), STREAM_BYTES))
