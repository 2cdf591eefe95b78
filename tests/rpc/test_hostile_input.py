"""Every text and bytes field of every RPC gets hostile values: an answer comes, and nothing breaks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc import StatusCode

from gitaly_py.rpc.methods import Method
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.requests import present, send, valid_request

SECONDS = 20

VALUES: dict[str, bytes] = {
    "option": b"--output=/tmp/hostile-output",
    "short option": b"-x",
    "NUL": b"a\0b",
    "dots": b"../../../../../etc/passwd",
    "absolute": b"/etc/passwd",
    "newline": b"main\nrefs/heads/other",
    "not UTF-8": b"\xff\xfe",
    "long": b"a" * 100_000,
    "pathspec magic": b":(exclude,top)*",
    "shell": b"; touch /tmp/hostile-output",
}


class Place(NamedTuple):
    """A field of a request, by the names that lead to it; repeated fields get one value."""

    method: Method
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method.name}-{'.'.join(self.path)}"


def places(method: Method) -> list[Place]:
    """Every text or bytes field of the request, outside its repository."""
    found: list[Place] = []

    def walk(descriptor: Any, path: tuple[str, ...]) -> None:
        for field in descriptor.fields:
            if field.message_type is not None and field.message_type.full_name != "gitaly.Repository":
                if field.message_type.file.package == "gitaly" and len(path) < 3:
                    walk(field.message_type, (*path, field.name))
            elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
                found.append(Place(method, (*path, field.name)))

    walk(method.request.DESCRIPTOR, ())
    return found


def put(message: Any, path: tuple[str, ...], value: bytes) -> None:
    """Sets the field at `path`; messages on the way are made when they are not there."""
    field = message.DESCRIPTOR.fields_by_name[path[0]]
    if len(path) > 1:
        inner = getattr(message, path[0])
        if field.message_type.GetOptions().map_entry:
            key, other = (value.decode(), None) if path[1] == "key" else ("key", value.decode())
            inner[key] = field.message_type.fields_by_name["value"].default_value if other is None else other
            return
        if field.is_repeated:
            inner = inner[0] if inner else inner.add()
        put(inner, path[1:], value)
        return
    text: Any = value if field.type == FieldDescriptor.TYPE_BYTES else value.decode()
    if field.is_repeated:
        del getattr(message, path[0])[:]
        getattr(message, path[0]).append(text)
    else:
        setattr(message, path[0], text)


NEVER = {StatusCode.UNKNOWN, StatusCode.UNAVAILABLE, StatusCode.DATA_LOSS}
"""Codes that no bad input may lead to."""


async def refusal(daemon: Daemon, method: Method, request: Message) -> grpc.aio.AioRpcError | None:
    """How the call failed, None if it did not. Raises TimeoutError when no answer comes."""
    try:
        async with asyncio.timeout(SECONDS):
            await send(daemon.channel, method, [request])
    except grpc.aio.AioRpcError as error:
        return error
    return None


PLACES = [place for method in present() for place in places(method)]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_hostile_value_gets_an_answer_and_does_no_harm(
    daemon: Daemon, new_repo: NewRepo, place: Place, name: str
) -> None:
    repo = new_repo()
    oid = repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
    request: Message = valid_request(place.method, repo.message)
    try:
        put(request, place.path, VALUES[name])
    except UnicodeDecodeError:
        pytest.skip("a text field holds no such bytes")
    before = sorted(path.name for path in daemon.root.iterdir())
    error = await refusal(daemon, place.method, request)
    if error is not None:
        assert error.code() not in NEVER, error
        assert not (error.details() or "").startswith("panic:"), error
    assert sorted(path.name for path in daemon.root.iterdir()) == before
    assert not Path("/tmp/hostile-output").exists()
    if place.method.name != "RemoveRepository":
        assert repo.git("rev-parse", "refs/heads/main") == oid
