"""RefService/FindLocalBranches (ref-blob.md 5.2)."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import FindLocalBranchesRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import Branch, PaginationParameter
from tests.support.daemon import Daemon
from tests.support.references import for_each_ref, varied, write
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Request = FindLocalBranchesRequest
PAGE_TOKEN = "invalid page token: sending lines: could not find page token"


async def branches(daemon: Daemon, repo: Repo, **fields: Any) -> list[Branch]:
    request = Request(repository=repo.message, **fields)
    messages = await collect(daemon.stub(RefServiceStub).FindLocalBranches(request))
    return [branch for message in messages for branch in message.local_branches]


async def names(daemon: Daemon, repo: Repo, **fields: Any) -> list[str]:
    return [
        branch.name.decode("utf-8", "surrogateescape") for branch in await branches(daemon, repo, **fields)
    ]


@pytest.fixture
def four(repo: Repo) -> Repo:
    """Branches `a` to `d`; `c` is the youngest, `b` and `d` are of the same, oldest age."""
    for name, time in {"a": 20, "b": 10, "c": 30, "d": 10}.items():
        repo.commit(f"{name}\n", time=time, ref=f"refs/heads/{name}")
    return repo


@pytest.mark.parametrize("packed", [False, True, None], ids=["loose", "packed", "mixed"])
async def test_local_branches_and_nothing_else_are_listed_by_name(
    daemon: Daemon, any_format_repo: Repo, packed: bool | None
) -> None:
    varied(any_format_repo, packed=packed)

    found = await branches(daemon, any_format_repo)

    expected = for_each_ref(any_format_repo, "refs/heads/")
    assert [(each.name, each.target_commit.id) for each in found] == [
        (name, oid) for name, oid, _ in expected
    ]
    assert all(each.target_commit.committer.HasField("date") for each in found)


@pytest.mark.parametrize(
    ("sort_by", "expected"), [("NAME", "abcd"), ("UPDATED_ASC", "bdac"), ("UPDATED_DESC", "cabd")]
)
async def test_branches_are_sorted(daemon: Daemon, four: Repo, sort_by: str, expected: str) -> None:
    assert await names(daemon, four, sort_by=sort_by) == [f"refs/heads/{name}" for name in expected]


@pytest.mark.parametrize(
    ("sort_by", "token", "expected"),
    [
        ("NAME", "b", "cd"),
        ("UPDATED_ASC", "b", "da"),
        ("UPDATED_DESC", "a", "bd"),
        ("UPDATED_DESC", "d", ""),
    ],
)
async def test_a_page_follows_the_branch_of_the_token(
    daemon: Daemon, four: Repo, sort_by: str, token: str, expected: str
) -> None:
    page = PaginationParameter(page_token=f"refs/heads/{token}", limit=2)

    found = await names(daemon, four, sort_by=sort_by, pagination_params=page)

    assert found == [f"refs/heads/{name}" for name in expected]


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (4, 4), (100, 4), (-1, 4)])
async def test_a_limit_is_taken_literally(daemon: Daemon, four: Repo, limit: int, count: int) -> None:
    assert len(await branches(daemon, four, pagination_params=PaginationParameter(limit=limit))) == count


@pytest.mark.parametrize(
    ("token", "limit"),
    [
        pytest.param("refs/heads/absent", 1, id="absent"),
        pytest.param("a", 1, id="short name"),
        pytest.param("refs/heads/b", 1, id="excluded"),
        pytest.param("refs/heads/a", 0, id="no limit"),
    ],
)
@pytest.mark.parametrize("sort_by", ["NAME", "UPDATED_DESC"])
async def test_a_token_that_is_not_listed_is_refused(
    daemon: Daemon, four: Repo, sort_by: str, token: str, limit: int
) -> None:
    page = PaginationParameter(page_token=token, limit=limit)

    async with refused(StatusCode.INVALID_ARGUMENT, PAGE_TOKEN):
        await branches(
            daemon, four, sort_by=sort_by, pagination_params=page, exclude_patterns=[b"refs/heads/b"]
        )


async def test_exclusions_apply_before_the_limit(daemon: Daemon, any_format_repo: Repo) -> None:
    oid = any_format_repo.commit()
    for name in ("feature-1", "feature-2", "fix/one", "fix/two", "fixture", "main", "other"):
        any_format_repo.ref(f"refs/heads/{name}", oid)

    found = await names(
        daemon,
        any_format_repo,
        exclude_patterns=[b"refs/heads/feature-*", b"refs/heads/fix"],
        pagination_params=PaginationParameter(limit=2),
    )

    assert found == ["refs/heads/fixture", "refs/heads/main"]


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        pytest.param([b"refs/heads/a", b""], "empty exclude pattern", id="empty"),
        pytest.param(
            [b"refs/heads/\0evil"], 'exclude pattern contains null byte: "refs/heads/\\x00evil"', id="NUL"
        ),
        pytest.param([b"main"], 'exclude pattern must start with "refs/heads/": "main"', id="short"),
        pytest.param(
            [b"refs/tags/x"], 'exclude pattern must start with "refs/heads/": "refs/tags/x"', id="tags"
        ),
    ],
)
async def test_exclusions_elsewhere_are_refused(
    daemon: Daemon, repo: Repo, patterns: list[bytes], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await branches(daemon, repo, exclude_patterns=patterns)


async def test_an_unknown_order_is_refused(daemon: Daemon, repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "unsupported sorting key: 7"):
        await branches(daemon, repo, sort_by=7)


@pytest.mark.parametrize("sort_by", ["NAME", "UPDATED_ASC"])
async def test_a_branch_whose_commit_is_missing_is_an_error(
    daemon: Daemon, any_format_repo: Repo, sort_by: str
) -> None:
    any_format_repo.commit(ref="refs/heads/main")
    write(any_format_repo, "refs/heads/broken", "1" * any_format_repo.format.hex_length + "\n")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await branches(daemon, any_format_repo, sort_by=sort_by)


async def test_an_empty_repository_has_no_branches(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await branches(daemon, any_format_repo) == []


async def test_identities_are_given_as_stored(daemon: Daemon, any_format_repo: Repo) -> None:
    mailmap = {".mailmap": b"New Name <new@example.com> <author@example.com>\n"}
    any_format_repo.commit(files=mailmap, ref="refs/heads/main")

    [branch] = await branches(daemon, any_format_repo)

    assert branch.target_commit.author.name == b"A U Thor"


async def test_long_names_are_given_whole(daemon: Daemon, repo: Repo) -> None:
    repo.commit(committer=b"x" * 100_000 + b" <mail@example.com>", ref="refs/heads/main")

    [branch] = await branches(daemon, repo)

    assert branch.target_commit.committer.name == b"x" * 100_000


async def test_many_branches_arrive_in_several_messages(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(b"subject\n\n" + b"x" * 5_000)
    expected = [f"refs/heads/branch-{number:04}" for number in range(1_000)]
    write(
        repo, "packed-refs", "# pack-refs with: sorted \n" + "".join(f"{oid} {name}\n" for name in expected)
    )

    messages = await collect(daemon.stub(RefServiceStub).FindLocalBranches(Request(repository=repo.message)))

    assert len(messages) > 3
    assert [each.name.decode() for message in messages for each in message.local_branches] == expected
