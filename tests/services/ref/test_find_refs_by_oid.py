"""RefService/FindRefsByOID (ref-blob.md 5.15)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindRefsByOIDRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from tests.support.daemon import Daemon
from tests.support.references import for_each_ref, varied
from tests.support.repositories import Repo
from tests.support.status import refused


async def find(daemon: Daemon, repo: Repo, oid: str, **fields: Any) -> list[str]:
    request = FindRefsByOIDRequest(repository=repo.message, oid=oid, **fields)
    return list((await daemon.stub(RefServiceStub).FindRefsByOID(request)).refs)


def leading_to(repo: Repo, oid: str, *arguments: str) -> list[str]:
    """The references to that object or to a tag that peels to it, as far as their names are text."""
    listed = for_each_ref(repo, *(arguments or ("refs/tags", "refs/heads")))
    names = [each.name for each in listed if oid in (each.target, each.peeled)]
    return [name.decode() for name in names if name.isascii()]


@pytest.mark.parametrize("packed", [False, True, None], ids=["loose", "packed", "mixed"])
async def test_the_references_to_an_object_are_found(
    daemon: Daemon, any_format_repo: Repo, packed: bool | None
) -> None:
    repo = varied(any_format_repo, packed=packed)

    for revision in ("main", "refs/heads/old", "refs/tags/annotated", "refs/tags/blob", "refs/tags/tree"):
        oid = repo.git("rev-parse", revision)
        expected = leading_to(repo, oid)
        if revision == "refs/tags/annotated":
            expected = ["refs/tags/annotated", "refs/tags/nested", "refs/tags/twice-nested"]
        assert expected
        assert await find(daemon, repo, oid) == expected, revision
        assert await find(daemon, repo, oid[:10]) == expected
        assert await find(daemon, repo, revision) == expected
        assert await find(daemon, repo, oid, limit=1) == expected[:1]
        assert await find(daemon, repo, oid, limit=len(expected) + 1) == expected


async def test_patterns_say_where_to_look(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = varied(any_format_repo)
    oid = repo.git("rev-parse", "refs/tags/v1.0")

    for patterns in (
        ["refs/keep-around/"],
        ["refs/heads/dir"],
        ["refs/*"],
        ["refs/"],
        ["refs/none"],
        ["v1.0"],
    ):
        found = await find(daemon, repo, oid, ref_patterns=patterns)
        assert found == leading_to(repo, oid, *patterns), patterns
    assert await find(daemon, repo, oid, ref_patterns=["refs/tags/v9", "refs/heads/dirt"]) == [
        "refs/heads/dirt",
        "refs/tags/v9",
    ]


@pytest.mark.parametrize(
    "sort",
    [
        "refname",
        "-refname",
        "-committerdate",
        "creatordate",
        "version:refname",
        "-v:refname",
        "objecttype",
        "*objectname",
    ],
)
async def test_sorting_is_gits(daemon: Daemon, repo: Repo, sort: str) -> None:
    varied(repo)
    oid = repo.git("rev-parse", "refs/tags/v1.0")
    expected = leading_to(repo, oid, f"--sort={sort}", "refs/tags", "refs/heads")

    assert await find(daemon, repo, oid, sort_field=sort) == expected
    assert await find(daemon, repo, oid, sort_field=sort, limit=4) == expected[:4]


async def test_nothing_points_at_other_objects(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    commits = repo.history(2, "refs/heads/main")
    blob = repo.blob(b"0\n")

    for revision in (commits[0], blob, blob[:8], "1" * repo.format.hex_length, "main^{tree}", "main:file"):
        assert await find(daemon, repo, revision) == [], revision
        assert await find(daemon, repo, revision, sort_field="objecttype") == []


@pytest.mark.parametrize("oid", ["ab", "nope", "1234567", "-x", "--all", "a..b"])
async def test_what_does_not_resolve_is_refused(daemon: Daemon, any_format_repo: Repo, oid: str) -> None:
    any_format_repo.history(1, "refs/heads/main")

    async with refused(StatusCode.INVALID_ARGUMENT, "for-each-ref pipeline command: exit status 129"):
        await find(daemon, any_format_repo, oid)


async def test_bad_requests_are_refused(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    async with refused(StatusCode.INVALID_ARGUMENT, "empty Oid"):
        await find(daemon, repo, "")
    async with refused(StatusCode.INVALID_ARGUMENT, "revision must not contain NUL bytes"):
        await find(daemon, repo, "ma\0in")
    for sort in ("nonsense", "--x", "-"):
        async with refused(StatusCode.INTERNAL, "for-each-ref pipeline command: exit status 128"):
            await find(daemon, repo, "main", sort_field=sort)
    text = "positional arg \"-x\" cannot start with dash '-': invalid argument"
    async with refused(StatusCode.INTERNAL, text):
        await find(daemon, repo, "main", ref_patterns=["-x"])


async def test_a_repository_without_objects_is_not_valid(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(ref="refs/heads/main")
    shutil.rmtree(Path(repo.git_dir, "objects"))

    async with refused(StatusCode.FAILED_PRECONDITION, 'repository not valid: "objects" does not exist'):
        await find(daemon, repo, oid)
