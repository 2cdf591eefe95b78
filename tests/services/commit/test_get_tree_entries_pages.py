"""Pages of CommitService/GetTreeEntries (commit.md 3.3)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import GetTreeEntriesError, GetTreeEntriesRequest, TreeEntry
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.errors_pb2 import ResolveRevisionError
from gitaly_py.pb.shared_pb2 import PaginationParameter
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Page = tuple[str | None, list[bytes]]


async def page_entries(
    daemon: Daemon,
    repo: Repo,
    token: str,
    limit: int,
    *,
    path: bytes = b".",
    revision: bytes = b"main",
    **fields: Any,
) -> tuple[str | None, list[TreeEntry]]:
    request = GetTreeEntriesRequest(
        repository=repo.message,
        revision=revision,
        path=path,
        pagination_params=PaginationParameter(page_token=token, limit=limit),
        **fields,
    )
    messages = await collect(daemon.stub(CommitServiceStub).GetTreeEntries(request))
    cursor = messages[0].pagination_cursor.next_cursor if messages else None
    return cursor, [entry for message in messages for entry in message.entries]


async def page(daemon: Daemon, repo: Repo, token: str, limit: int, **fields: Any) -> Page:
    cursor, entries = await page_entries(daemon, repo, token, limit, **fields)
    return cursor, [entry.path for entry in entries]


def token(**fields: str) -> str:
    return base64.b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()


def filled(repo: Repo) -> Repo:
    files = {f"dir/{name}": name.encode() for name in ("a", "b", "c", "d/x", "e")}
    repo.commit("x\n", {**files, "z": b"a"}, ref="refs/heads/main")
    return repo


@pytest.mark.parametrize("recursive", [False, True])
async def test_pages_follow_one_another(daemon: Daemon, any_format_repo: Repo, recursive: bool) -> None:
    repo = filled(any_format_repo)
    tree = repo.git("rev-parse", "main:dir")
    everything = [b"dir/a", b"dir/b", b"dir/c", b"dir/d", *([b"dir/d/x"] if recursive else []), b"dir/e"]
    seen: list[bytes] = []
    cursor: str | None = ""
    while cursor is not None and (cursor or not seen):
        cursor, found = await page(daemon, repo, cursor, 2, path=b"dir", recursive=recursive)
        seen += found
        if cursor:
            assert json.loads(base64.b64decode(cursor)) == {"file_name": found[-1].decode(), "tree_oid": tree}

    assert seen == everything


async def test_the_last_page_has_an_empty_cursor(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)

    assert await page(daemon, repo, "", 2) == ("", [b"dir", b"z"])
    assert await page(daemon, repo, "", 3) == ("", [b"dir", b"z"])
    assert await page(daemon, repo, "", -1) == ("", [b"dir", b"z"])
    assert await page(daemon, repo, token(file_name="dir"), -1) == ("", [b"z"])
    assert await page(daemon, repo, token(file_name="z"), 5) == (None, [])


async def test_no_limit_means_no_entries(daemon: Daemon, repo: Repo) -> None:
    assert await page(daemon, filled(repo), "", 0) == (None, [])


async def test_the_cursor_is_exactly_as_specified(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {"a<b>&\u2028é": b"1", "b": b"2"}, ref="refs/heads/main")
    tree = repo.git("rev-parse", "main^{tree}")

    cursor, _ = await page(daemon, repo, "", 1)

    text = '{"file_name":"a\\u003cb\\u003e\\u0026\\u2028é","tree_oid":"' + tree + '"}'
    assert cursor == base64.b64encode(text.encode()).decode()
    assert await page(daemon, repo, cursor, 1) == ("", [b"b"])


async def test_a_name_that_is_no_utf8_can_be_paged_past(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {b"a\xff": b"1", b"b": b"2"}, ref="refs/heads/main")

    cursor, _ = await page(daemon, repo, "", 1)

    assert cursor
    assert await page(daemon, repo, cursor, 1) == ("", [b"b"])


async def test_sorting_comes_before_paging(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {"a": b"1", "t/x": b"1", "u/x": b"1"}, ref="refs/heads/main")
    sort = GetTreeEntriesRequest.TREES_FIRST

    cursor, first = await page(daemon, repo, "", 1, sort=sort)
    assert cursor
    assert first == [b"t"]
    assert await page(daemon, repo, cursor, 5, sort=sort) == ("", [b"u", b"a"])


async def test_a_token_goes_on_in_the_tree_it_names(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    cursor, _ = await page(daemon, repo, "", 2, path=b"dir")
    assert cursor
    repo.commit("x\n", {"dir/d/y/z": b"1"}, ref="refs/heads/main")

    _, entries = await page_entries(daemon, repo, cursor, 9, path=b"dir")
    assert [(entry.path, entry.flat_path) for entry in entries] == [
        (b"dir/c", b"dir/c"),
        (b"dir/d", b"dir/d/y"),
        (b"dir/e", b"dir/e"),
    ]


async def test_revision_and_path_of_a_token_may_be_gone(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = filled(any_format_repo)
    tree = repo.git("rev-parse", "main:dir")

    _, entries = await page_entries(
        daemon, repo, token(file_name="gone/c", tree_oid=tree), 9, path=b"gone", revision=b"gone"
    )

    assert [(entry.path, entry.flat_path, entry.commit_oid) for entry in entries] == [
        (b"gone/d", b"gone/d", "gone"),
        (b"gone/e", b"gone/e", "gone"),
    ]


@pytest.mark.parametrize("recursive", [False, True])
async def test_a_token_of_no_tree_does_not_resolve(
    daemon: Daemon, any_format_repo: Repo, recursive: bool
) -> None:
    repo = filled(any_format_repo)
    detail = GetTreeEntriesError(resolve_tree=ResolveRevisionError(revision=b"main"))
    code = StatusCode.NOT_FOUND if recursive else StatusCode.INVALID_ARGUMENT

    for tree in (repo.git("rev-parse", "main:z"), "1" * repo.format.hex_length, "-x"):
        async with refused(code, "invalid revision or path", detail):
            await page(daemon, repo, token(file_name="z", tree_oid=tree), 1, recursive=recursive)


async def test_an_old_token_is_the_id_of_an_entry(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit("x\n", {"a": b"1", "b": b"same", "c": b"same", "d": b"2"}, ref="refs/heads/main")

    assert await page(daemon, repo, repo.blob(b"same"), 1) == await page(
        daemon, repo, token(file_name="b"), 1
    )
    assert (await page(daemon, repo, repo.blob(b"same"), 1))[1] == [b"c"]


async def test_a_token_without_a_name_begins_at_the_top(daemon: Daemon, repo: Repo) -> None:
    tree = filled(repo).git("rev-parse", "main:dir/d")

    assert (await page(daemon, repo, token(file_name=""), 1))[1] == [b"dir"]
    assert await page(daemon, repo, token(tree_oid=tree), 5, path=b"dir/d") == ("", [b"dir/d/x"])


@pytest.mark.parametrize("limit", [0, 1, -1])
@pytest.mark.parametrize("recursive", [False, True])
async def test_a_token_that_is_not_there_is_an_error(
    daemon: Daemon, any_format_repo: Repo, limit: int, recursive: bool
) -> None:
    repo = filled(any_format_repo)

    for given, named in (
        (token(file_name="nope"), "nope"),
        ("f" * 40, "f" * 40),
        ("not base64", "not base64"),
    ):
        async with refused(StatusCode.INTERNAL, f"could not find starting OID: {named}"):
            await page(daemon, repo, given, limit, recursive=recursive)
    async with refused(StatusCode.INTERNAL, "could not find starting OID: a"):
        await page(daemon, repo, token(file_name="a"), limit, path=b"dir", recursive=recursive)


async def test_errors_of_the_tree_come_before_those_of_the_token(daemon: Daemon, repo: Repo) -> None:
    detail = GetTreeEntriesError(resolve_tree=ResolveRevisionError(revision=b"main"))

    async with refused(StatusCode.INVALID_ARGUMENT, "invalid revision or path", detail):
        await page(daemon, filled(repo), token(file_name="nope"), 1, path=b"nope")
