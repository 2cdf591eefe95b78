"""SearchFilesByName (repository.md)."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import SearchFilesByNameRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

FILES: dict[str | bytes, Entry] = {
    "README.md": b"",
    "docs/guide.md": b"",
    "docs/images/logo.png": b"",
    "docs.txt": b"",
    "-dashed/file": b"",
    "*": b"",
    "link": ("120000", b"docs"),
    "new\nline.md": b"",
    b"caf\xe9.md": b"",
    "café.md": b"",
}


async def search(
    stub: RepositoryServiceStub, repo: Repo, query: str = ".", ref: str | bytes = "main", **fields: object
) -> list[bytes]:
    """The files of the one message that there must be."""
    name = ref.encode() if isinstance(ref, str) else ref
    request = SearchFilesByNameRequest(repository=repo.message, query=query, ref=name, **fields)
    (message,) = await collect(stub.SearchFilesByName(request))
    return list(message.files)


@pytest.fixture
def tree(any_format_repo: Repo) -> Repo:
    files = {**FILES, "module": ("160000", "1" * any_format_repo.format.hex_length)}
    any_format_repo.commit(files=files, ref="refs/heads/main")
    return any_format_repo


async def test_everything_at_and_below_a_path_is_listed(
    repositories: RepositoryServiceStub, tree: Repo
) -> None:
    for query in (".", "docs", "docs/", "docs/images", "README.md", "-dashed", "*", "do", "link", "module"):
        listed = tree.git_bytes("ls-tree", "--full-tree", "--name-only", "-r", "-z", "main", "--", query)
        assert await search(repositories, tree, query) == listed.split(b"\0")[:-1], query
    assert len(await search(repositories, tree)) == len(FILES) + 1
    assert await search(repositories, tree, "docs") == [b"docs/guide.md", b"docs/images/logo.png"]
    assert await search(repositories, tree, "-dashed") == [b"-dashed/file"]
    assert await search(repositories, tree, "do") == []


async def test_any_revision_of_a_tree_will_do(repositories: RepositoryServiceStub, repo: Repo) -> None:
    old = repo.commit(files={"old": b""})
    repo.commit(files={"new": b""}, parents=[old], ref="refs/heads/main")

    for ref in ("main~1", old, f"{old}^{{tree}}"):
        assert await search(repositories, repo, ref=ref) == [b"old"]
    assert await search(repositories, repo, ref="HEAD") == [b"new"]


async def test_the_filter_is_a_regular_expression(repositories: RepositoryServiceStub, tree: Repo) -> None:
    every = await search(repositories, tree)
    for text, expected in (
        (r"\.md$", [b"README.md", b"caf\xc3\xa9.md", b"caf\xe9.md", b"docs/guide.md", b"new\nline.md"]),
        ("^docs", [b"docs.txt", b"docs/guide.md", b"docs/images/logo.png"]),
        ("readme", []),
        ("(?i)readme", [b"README.md"]),
        ("docs/", [b"docs/guide.md", b"docs/images/logo.png"]),
        (r"caf.\.md", [b"caf\xc3\xa9.md", b"caf\xe9.md"]),
        ("café", [b"caf\xc3\xa9.md"]),
        (r"\*", [b"*"]),
        ("(guide|logo)[.](md|png)", [b"docs/guide.md", b"docs/images/logo.png"]),
        ("^line", []),
        ("(?m)^line", [b"new\nline.md"]),
        ("()", every),
    ):
        assert sorted(await search(repositories, tree, filter=text)) == sorted(expected), text


async def test_offset_and_limit_cut_what_the_filter_leaves(
    repositories: RepositoryServiceStub, tree: Repo
) -> None:
    for text in ("", "a", "[ae]"):
        every = await search(repositories, tree, filter=text)
        for offset, limit in ((0, 2), (1, 0), (1, 2), (3, 100), (0, 1), (100, 1), (100, 0)):
            found = await search(repositories, tree, filter=text, offset=offset, limit=limit)
            assert found == (every[offset : offset + limit] if limit else every[offset:])


async def test_a_large_tree_is_one_message(repositories: RepositoryServiceStub, repo: Repo) -> None:
    blob = repo.blob(b"")
    names = [b"%06d-%s" % (number, b"x" * 60) for number in range(20_000)]
    tree = repo.raw_tree([("100644", name, blob) for name in names])
    repo.commit(tree=tree, ref="refs/heads/main")

    assert await search(repositories, repo) == names
    assert await search(repositories, repo, filter="5-x+$") == [name for name in names if name[5:6] == b"5"]
    for offset, limit in ((10_000, 3), (1, 15_000), (7_000, 0), (19_999, 5)):
        expected = names[offset : offset + limit] if limit else names[offset:]
        assert await search(repositories, repo, limit=limit, offset=offset) == expected


async def test_what_finds_nothing_is_one_empty_message(
    repositories: RepositoryServiceStub, tree: Repo
) -> None:
    for query, ref in (
        ("absent", "main"),
        (".", "unknown"),
        (".", "1" * 40),
        ("../..", "main"),
        (":(glob)*", "main"),
        (".", b"\xff"),
    ):
        assert await search(repositories, tree, query, ref) == []


async def test_an_empty_repository_has_no_files(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    assert await search(repositories, any_format_repo, ref="HEAD") == []


async def test_the_request_is_checked(repositories: RepositoryServiceStub, repo: Repo) -> None:
    for query, ref, text, message in (
        ("", "", "+*.", "no query given"),
        ("x", "", "+*.", "no ref given"),
        ("x", "-x", "+*.", "invalid ref argument"),
        ("x", "main", "+" * 1001, "filter exceeds maximum length"),
        ("x", "main", "é" * 501, "filter exceeds maximum length"),
        (
            "x",
            "main",
            "+*.",
            "filter did not compile: error parsing regexp: missing argument to repetition operator: `+`",
        ),
    ):
        async with refused(StatusCode.INVALID_ARGUMENT, message):
            await search(repositories, repo, query, ref, filter=text)
    repo.commit(ref="refs/heads/main")
    assert await search(repositories, repo, filter="x" * 1000) == []
    async with refused(StatusCode.INTERNAL, 'detected null byte in command argument "a\\x00b"'):
        await search(repositories, repo, "a\0b")
