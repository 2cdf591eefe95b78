"""LFS objects from the internal API (repository.md, GetArchive)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from gitaly_py.rails.client import InternalApi
from gitaly_py.rails.errors import Unreachable
from gitaly_py.rails.settings import InternalApiSettings
from tests.support.rails import SECRET, Answer, Rails, running_rails

OID = "ab" * 32


@pytest.fixture
async def rails() -> AsyncIterator[Rails]:
    async with running_rails() as double:
        yield double


@pytest.fixture
async def api(rails: Rails) -> AsyncIterator[InternalApi]:
    client = InternalApi(InternalApiSettings(url=rails.url, secret=SECRET))
    yield client
    await client.close()


async def content(api: InternalApi) -> bytes | None:
    async with api.lfs_object(OID, "project-88", remote_ip="10.1.2.3") as found:
        return None if found is None else b"".join([piece async for piece in found])


async def test_an_object_is_asked_for_by_id_and_repository(rails: Rails, api: InternalApi) -> None:
    data = os.urandom(1024 * 1024)
    rails.answers["/lfs"] = Answer(data)

    assert await content(api) == data

    (request,) = rails.requests
    assert (request.method, request.path, request.body) == ("GET", "/lfs", None)
    assert request.query == [("oid", OID), ("gl_repository", "project-88")]
    assert request.headers["X-Forwarded-For"] == "10.1.2.3"
    assert "Gitlab-Shell-Api-Request" in request.headers


@pytest.mark.parametrize("status", [204, 302, 404, 429, 500])
async def test_any_status_but_200_gives_no_object(rails: Rails, api: InternalApi, status: int) -> None:
    rails.answers["/lfs"] = Answer(b"" if status == 204 else b"not this", status)

    assert await content(api) is None


async def test_an_unfinished_object_is_an_error(rails: Rails, api: InternalApi) -> None:
    rails.answers["/lfs"] = Answer(b"half", missing=4)

    with pytest.raises(Unreachable):
        await content(api)


async def test_no_connection_is_an_error(tmp_path: object) -> None:
    client = InternalApi(InternalApiSettings(url=f"http+unix://{tmp_path}/none", secret=SECRET))

    with pytest.raises(Unreachable):
        await content(client)
    await client.close()
