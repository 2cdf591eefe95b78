"""RefService/RefExists (ref-blob.md 5.7)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import RefExistsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.status import refused


async def exists(daemon: Daemon, repo: Repo, ref: str | bytes) -> bool:
    name = ref.encode() if isinstance(ref, str) else ref
    request = RefExistsRequest(repository=repo.message, ref=name)
    response = await daemon.stub(RefServiceStub).RefExists(request)
    return response.value


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("refs/heads/main", id="branch"),
        pytest.param("refs/heads/'test'", id="quotes"),
        pytest.param("refs/heads/ünïcödé-🐙", id="unicode"),
        pytest.param(b"refs/heads/\xff", id="not utf-8"),
        pytest.param("refs/keep-around/x", id="hidden"),
        pytest.param("refs/single", id="one level"),
    ],
)
async def test_a_reference_exists(
    daemon: Daemon, any_format_repo: Repo, ref: str | bytes, packed: bool
) -> None:
    any_format_repo.commit(ref=ref)
    if packed:
        any_format_repo.git("pack-refs", "--all")

    assert await exists(daemon, any_format_repo, ref)


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("refs/heads/absent", id="absent"),
        pytest.param("refs/heads/mai", id="prefix"),
        pytest.param("refs/heads", id="folder"),
        pytest.param("refs/", id="nothing but refs"),
        pytest.param("refs/heads/*", id="wildcard"),
        pytest.param("refs/ /heads", id="space"),
        pytest.param("refs/; rm -rf /tmp/*", id="shell"),
        pytest.param("refs/../HEAD", id="out of refs"),
        pytest.param("refs/heads/main\0", id="NUL"),
        pytest.param("refs/heads/" + "x" * 5000, id="long"),
    ],
)
async def test_what_is_no_reference_does_not_exist(daemon: Daemon, any_format_repo: Repo, ref: str) -> None:
    any_format_repo.commit(ref="refs/heads/main")

    assert not await exists(daemon, any_format_repo, ref)


@pytest.mark.parametrize("ref", ["in valid", "", "--", "main", "HEAD"])
async def test_a_name_outside_refs_is_refused(daemon: Daemon, repo: Repo, ref: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "invalid refname"):
        await exists(daemon, repo, ref)


async def test_symbolic_references_are_followed(daemon: Daemon, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    repo.symref("refs/heads/alias", "refs/heads/main")
    repo.symref("refs/heads/dangling", "refs/heads/absent")

    assert await exists(daemon, repo, "refs/heads/alias")
    assert not await exists(daemon, repo, "refs/heads/dangling")


async def test_a_reference_to_a_missing_object_is_an_error(daemon: Daemon, any_format_repo: Repo) -> None:
    write(any_format_repo, "refs/heads/broken", "1" * any_format_repo.format.hex_length + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await exists(daemon, any_format_repo, "refs/heads/broken")
