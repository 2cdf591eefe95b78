"""git's long-running filter protocol, the filter's side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import closing
from itertools import pairwise
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.filtering import FilterProtocolError, Smudge, SmudgeFailed, serve_smudge
from gitaly_py.git.pipes import PipeReader, PipeWriter
from gitaly_py.git.wire.errors import MalformedPacket
from gitaly_py.git.wire.pktline import FLUSH, MAX_PAYLOAD, encode


def packets(*lines: bytes) -> bytes:
    """Lines of text, and a flush packet."""
    return b"".join(encode(line + b"\n") for line in lines) + FLUSH


GREETING = packets(b"git-filter-client", b"version=2")
CAPABILITIES = packets(b"capability=clean", b"capability=smudge", b"capability=delay")
ANSWERS = packets(b"git-filter-server", b"version=2") + packets(b"capability=smudge")
OPENING = GREETING + CAPABILITIES


async def doubled(content: IO[bytes]) -> AsyncGenerator[bytes, None]:
    data = content.read()
    yield data
    yield data


async def failing(content: IO[bytes]) -> AsyncGenerator[bytes, None]:
    yield b"half"
    raise SmudgeFailed


def request(*contents: bytes, path: bytes = b"a.bin", command: bytes = b"smudge") -> bytes:
    """What git sends for one file, its content in these packets."""
    header = packets(b"command=" + command, b"pathname=" + path, b"blob=" + b"1" * 40)
    return header + b"".join(map(encode, contents)) + FLUSH


def answer(*contents: bytes, status: bytes = FLUSH) -> bytes:
    """What git gets for one file. status: after the content."""
    return packets(b"status=success") + b"".join(map(encode, contents)) + FLUSH + status


async def conversation(*pieces: bytes, smudge: Smudge = doubled) -> bytes:
    """What git gets when it sends `pieces` and then closes its end."""
    theirs, our_writing = os.pipe()
    our_reading, their_writing = os.pipe()
    reader, answers = PipeReader(theirs), PipeReader(our_reading)
    sender, writer = PipeWriter(our_writing), PipeWriter(their_writing)

    async def send() -> None:
        with closing(sender):
            for piece in pieces:
                await sender.write(piece)
                await asyncio.sleep(0)

    async def serve() -> None:
        with closing(reader), closing(writer):
            await serve_smudge(reader, writer, smudge)

    with closing(answers):
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            group.create_task(serve())
            received = b""
            while chunk := await answers.read():
                received += chunk
    return received


async def test_only_smudge_is_offered() -> None:
    assert await conversation(OPENING) == ANSWERS


async def test_files_are_filtered_one_after_the_other() -> None:
    received = await conversation(OPENING, request(b"one"), request(b"tw", b"o"))

    assert received == ANSWERS + answer(b"one", b"one") + answer(b"two", b"two")


async def test_a_failure_spoils_one_file_only() -> None:
    received = await conversation(OPENING, request(b"one"), request(b"two"), smudge=failing)

    assert received == ANSWERS + answer(b"half", status=packets(b"status=error")) * 2


async def test_large_content_passes() -> None:
    content = os.urandom(3 * 1024 * 1024)
    chunks = [content[start : start + MAX_PAYLOAD] for start in range(0, len(content), MAX_PAYLOAD)]
    received = await conversation(OPENING, request(*chunks))

    assert received == ANSWERS + answer(*chunks, *chunks)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(encode(b"version=2\n") + FLUSH, FilterProtocolError, id="no welcome"),
        pytest.param(GREETING.replace(b"=2", b"=3"), FilterProtocolError, id="other version"),
        pytest.param(GREETING + encode(b"capability=clean\n") + FLUSH, FilterProtocolError, id="no smudge"),
        pytest.param(OPENING + request(b"x", command=b"clean"), FilterProtocolError, id="clean"),
        pytest.param(OPENING + b"0001", FilterProtocolError, id="delimiter"),
        pytest.param(OPENING + b"what", MalformedPacket, id="no packet"),
    ],
)
async def test_what_is_no_filter_protocol_is_an_error(sent: bytes, error: type[Exception]) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await conversation(sent)

    assert isinstance(raised.value.exceptions[0], error)


@settings(max_examples=50, deadline=None)
@given(end=st.integers(0, len(OPENING + request(b"one", b"two"))))
def test_git_may_go_at_any_time(end: int) -> None:
    received = asyncio.run(conversation((OPENING + request(b"one", b"two"))[:end]))

    assert (ANSWERS + answer(b"onetwo", b"onetwo")).startswith(received)


@settings(max_examples=50, deadline=None)
@given(
    files=st.lists(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=3), max_size=3),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_pieces_of_any_size_give_the_same_answers(files: list[list[bytes]], cuts: list[int]) -> None:
    sent = OPENING + b"".join(request(*contents) for contents in files)
    edges = [0, *sorted(cuts), len(sent)]
    received = asyncio.run(conversation(*[sent[start:end] for start, end in pairwise(edges)]))

    joined = [b"".join(contents) for contents in files]
    assert received == ANSWERS + b"".join(answer(content, content) for content in joined)
