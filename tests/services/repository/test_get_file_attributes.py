"""GetFileAttributes (repository.md)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetFileAttributesRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import refused

Infos = list[tuple[str, str, str]]

FILES: dict[str | bytes, Entry] = {
    ".gitattributes": (
        b"*.rb diff=ruby text -merge\n*.md text=auto\n/top/** top\ndocs/ folder\n"
        b"[attr]mine foo=bar -baz\n*.m mine\n"
        b'*.u -unspec !unspec\n"with space.rb" spaced\ncaf\xc3\xa9.rb accent=\xc3\xa9\n'
    ),
    "top/.gitattributes": b"*.rb diff=other !text\n",
    "top/middle/.gitattributes": b"*.rb deep\n**/far.rb far=away\n",
    "top/middle/low/file": b"",
    "other/file": b"",
    "link": ("120000", b"top"),
    "folder/.gitattributes/file": b"",
    "linked/.gitattributes": ("120000", b"*.rb linked"),
    "crowd/.gitattributes": b"* crowded\n",
    **{f"crowd/{number}/.gitattributes": b"* number=%d\n" % number for number in range(8)},
}
PATHS = [
    "a.rb",
    "top/a.rb",
    "top/middle/a.rb",
    "top/middle/low/far.rb",
    "top/middle/absent/folder/far.rb",
    "other/a.rb",
    "other/x.m",
    "a.u",
    "absent",
    "docs/",
    "docs",
    "with space.rb",
    "café.rb",
    "new\nline.rb",
    "link/a.rb",
    "folder/a.rb",
    "linked/a.rb",
    "top//middle/./low/../a.rb",
    ".gitattributes/x.rb",
    "",
    *(f"crowd/{number}/x" for number in range(9)),
    "a.rb",
]
ATTRIBUTES = ["diff", "text", "merge", "top", "folder", "mine", "foo", "baz", "unspec", "spaced", "accent"]
ATTRIBUTES += ["deep", "far", "linked", "crowded", "number", "diff"]


async def attributes(
    stub: RepositoryServiceStub, repo: Repo, revision: str | bytes, paths: Sequence[str], names: Sequence[str]
) -> Infos:
    request = GetFileAttributesRequest(
        repository=repo.message,
        revision=revision.encode() if isinstance(revision, str) else revision,
        paths=paths,
        attributes=names,
    )
    response = await stub.GetFileAttributes(request)
    return [(info.path, info.attribute, info.value) for info in response.attribute_infos]


def by_git(repo: Repo, tree: str, paths: Sequence[str], names: Sequence[str], index: Path) -> Infos:
    """The answer of git with the whole tree in an index."""
    env = {"GIT_INDEX_FILE": str(index)}
    repo.git("read-tree", tree, env=env)
    stdin = "".join(path + "\0" for path in paths)
    fields = repo.git("check-attr", "--cached", "--stdin", "-z", *names, stdin=stdin, env=env).split("\0")
    triples = zip(fields[0::3], fields[1::3], fields[2::3], strict=False)
    return [(path, name, value) for path, name, value in triples if value != "unspecified"]


async def test_attributes_are_those_that_git_finds(
    repositories: RepositoryServiceStub, any_format_repo: Repo, tmp_path: Path
) -> None:
    oid = any_format_repo.commit(files=FILES, ref="refs/heads/main")
    any_format_repo.commit(files={".gitattributes": b"* changed\n"}, parents=[oid], ref="refs/heads/main")
    expected = by_git(any_format_repo, oid, PATHS, ATTRIBUTES, tmp_path / "index")

    assert await attributes(repositories, any_format_repo, oid, PATHS, ATTRIBUTES) == expected
    assert len(expected) > 50
    for info in (
        ("a.rb", "diff", "ruby"),
        ("a.rb", "text", "set"),
        ("a.rb", "merge", "unset"),
        ("top/a.rb", "diff", "other"),
        ("top/middle/low/far.rb", "far", "away"),
        ("other/x.m", "foo", "bar"),
        ("café.rb", "accent", "é"),
        ("new\nline.rb", "diff", "ruby"),
    ):
        assert info in expected
    # Each by itself, since what is looked up for one path is there for the others.
    for path in (
        "top//middle/./low/../a.rb",
        "top/middle/absent/folder/far.rb",
        "linked/a.rb",
        "folder/a.rb",
    ):
        found = await attributes(repositories, any_format_repo, oid, [path], ATTRIBUTES)
        assert found == [info for info in expected if info[0] == path]
        assert found


async def test_any_revision_of_a_tree_will_do(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    oid = repo.commit(files={"a/.gitattributes": b"* a\n", ".gitattributes": b"* b\n"}, ref="refs/heads/main")
    repo.tag("v1", oid)

    for revision in ("HEAD", "main", "v1", oid, "main^{tree}", repo.git("rev-parse", "main^{tree}")):
        found = await attributes(repositories, repo, revision, ["a/x"], ["a", "b"])
        assert found == [("a/x", "a", "set"), ("a/x", "b", "set")]
    assert await attributes(repositories, repo, "main:a", ["x"], ["a", "b"]) == [("x", "a", "set")]


async def test_what_nothing_is_specified_for_is_left_out(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    repo.commit(files={"file": b""}, ref="refs/heads/main")

    assert await attributes(repositories, repo, "main", ["file", "absent"], ["text", "diff"]) == []
    # git does not look whether an object of that id is there, or is a tree.
    for revision in ("1" * repo.format.hex_length, repo.blob(b"x")):
        assert await attributes(repositories, repo, revision, ["file"], ["text"]) == []


async def test_attributes_of_the_repository_itself_count(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.commit(files={"file": b""}, ref="refs/heads/main")
    Path(any_format_repo.path, "info").mkdir(exist_ok=True)
    Path(any_format_repo.path, "info", "attributes").write_bytes(b"* own\n")

    assert await attributes(repositories, any_format_repo, "main", ["x"], ["own"]) == [("x", "own", "set")]


async def test_values_that_are_no_text_come_with_replacements(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(files={".gitattributes": b"* latin=caf\xe9\n"}, ref="refs/heads/main")

    assert await attributes(repositories, repo, "main", ["x"], ["latin"]) == [("x", "latin", "caf�")]


async def test_many_paths_are_answered_at_once(repositories: RepositoryServiceStub, repo: Repo) -> None:
    repo.commit(files={".gitattributes": b"*.c c=1\n", "a/.gitattributes": b"* a=2\n"}, ref="refs/heads/main")
    paths = [f"{'a' if number % 2 else 'b'}/{number}.c" for number in range(20_000)]

    found = await attributes(repositories, repo, "main", paths, ["c", "a"])

    assert [path for path, name, _ in found if name == "c"] == paths
    assert [path for path, name, _ in found if name == "a"] == paths[1::2]


async def test_what_is_missing_in_the_request_is_named(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    for revision, paths, names, text in (
        ("", [], [], "revision is required"),
        ("main", [], [], "file paths are required"),
        ("main", ["x"], [], "attributes are required"),
    ):
        async with refused(StatusCode.INVALID_ARGUMENT, text):
            await attributes(repositories, repo, revision, paths, names)


@pytest.mark.parametrize(
    ("revision", "path", "name", "text"),
    [
        ("absent", "x", "text", "read line: EOF"),
        ("-x", "x", "text", "read line: EOF"),
        ("main", "../x", "text", "read line: EOF"),
        ("main", "/x", "text", "read line: EOF"),
        ("main", "x", "not valid", "read line: EOF"),
        ("main", "x", "", "read line: EOF"),
        ("main", "a\0b", "text", "path with NUL byte not allowed"),
        ("main", "a/" * 9000, "text", "path has too many folders"),
        ("main", "x", "-x", "positional arg \"-x\" cannot start with dash '-': invalid argument"),
        ("main", "x", "a\0b", 'detected null byte in command argument "a\\x00b"'),
        ("a\0b", "x", "text", 'detected null byte in command argument "a\\x00b"'),
    ],
)
async def test_what_git_cannot_look_up_is_an_internal_error(
    repositories: RepositoryServiceStub, repo: Repo, revision: str, path: str, name: str, text: str
) -> None:
    repo.commit(files={".gitattributes": b"* text\n"}, ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, f"check attr: {text}"):
        await attributes(repositories, repo, revision, ["before", path], [name])


async def test_nothing_is_left_behind(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    repo.commit(files={".gitattributes": b"* text\n"}, ref="refs/heads/main")
    before = sorted(os.listdir(repo.path))
    assert await attributes(repositories, repo, "main", ["x"], ["text"]) == [("x", "text", "set")]
    async with refused(StatusCode.INTERNAL):
        await attributes(repositories, repo, "main", ["x"], ["not valid"])

    assert sorted(os.listdir(repo.path)) == before
    assert list((daemon.storage / "+gitaly" / "tmp").glob("attributes*")) == []
    shutil.rmtree(daemon.storage / "+gitaly" / "tmp")
    assert await attributes(repositories, repo, "main", ["x"], ["text"]) == [("x", "text", "set")]
