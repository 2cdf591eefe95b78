"""GetArchive (repository.md)."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tarfile
import zipfile

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetArchiveRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

TAR, ZIP = GetArchiveRequest.TAR, GetArchiveRequest.ZIP
TAR_GZ, TAR_BZ2 = GetArchiveRequest.TAR_GZ, GetArchiveRequest.TAR_BZ2

FILES: dict[str | bytes, bytes] = {
    "README.md": b"readme\n",
    "docs/guide.md": b"guide\n",
    "docs/images/logo": b"\0\1\2",
    "docs/images/icon": b"icon",
    "source/main.py": b"print()\n",
}


async def archive(stub: RepositoryServiceStub, repo: Repo, **fields: object) -> bytes:
    request = GetArchiveRequest(repository=repo.message, **{"commit_id": "main", "format": TAR, **fields})
    return b"".join([message.data for message in await collect(stub.GetArchive(request))])


def files_in(tar: bytes) -> dict[str, bytes]:
    """Files of a tar archive by their names as they stand in it."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened if member.isfile()}  # type: ignore[union-attr]


def names_in(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getnames()


@pytest.fixture
def project(any_format_repo: Repo) -> Repo:
    any_format_repo.commit(files=dict(FILES), ref="refs/heads/main")
    return any_format_repo


@pytest.fixture
def tree(repo: Repo) -> Repo:
    repo.commit(files=dict(FILES), ref="refs/heads/main")
    return repo


def prefixed(prefix: str, *names: str) -> dict[str, bytes]:
    return {prefix + name: FILES[name] for name in names}


async def test_a_tar_file_is_what_git_makes(repositories: RepositoryServiceStub, project: Repo) -> None:
    data = await archive(repositories, project, prefix="project-main")

    assert data == project.git_bytes("archive", "--format=tar", "--prefix=project-main/", "main", "--", ".")
    assert files_in(data) == prefixed("project-main/", *map(str, FILES))


async def test_a_zip_file_is_the_default(repositories: RepositoryServiceStub, project: Repo) -> None:
    request = GetArchiveRequest(repository=project.message, commit_id="main", prefix="p")
    data = b"".join([message.data for message in await collect(repositories.GetArchive(request))])

    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        files = {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}
    assert files == prefixed("p/", *map(str, FILES))


@pytest.mark.parametrize(("number", "decompress"), [(TAR_GZ, gzip.decompress), (TAR_BZ2, bz2.decompress)])
async def test_a_compressed_tar_file_holds_the_same(
    repositories: RepositoryServiceStub, project: Repo, number: int, decompress: object
) -> None:
    data = await archive(repositories, project, format=number, prefix="p")

    assert decompress(data) == await archive(repositories, project, prefix="p")  # type: ignore[operator]


async def test_unusual_files_are_archived_as_git_does(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    files: dict[str | bytes, Entry] = {
        "run": ("100755", b"#!/bin/sh\n"),
        "link": ("120000", b"run"),
        "module": ("160000", "1" * any_format_repo.format.hex_length),
        "empty": b"",
        "folder/new\nline": b"x",
        b"folder/caf\xe9": b"\0\xff",
        "folder/a:b": b"colon",
        "folder/[x]*?": b"glob",
        "folder/" + "long/" * 60 + "name": b"deep",
        "large": os.urandom(500_000),
    }
    oid = any_format_repo.commit(files=files, ref="refs/heads/main")

    for number, name in ((TAR, "tar"), (ZIP, "zip")):
        by_git = any_format_repo.git_bytes("archive", f"--format={name}", "--prefix=p/", oid, "--", ".")
        assert (
            await archive(repositories, any_format_repo, format=number, commit_id=oid, prefix="p") == by_git
        )
    for path in (b"link", b"folder/new\nline", b"folder/caf\xe9", b"folder/a:b", b"folder/[x]*?", b"module"):
        by_git = any_format_repo.git_bytes("archive", "--format=tar", "--prefix=p/", "main", "--", path)
        assert await archive(repositories, any_format_repo, prefix="p", path=path) == by_git
        others = await archive(repositories, any_format_repo, prefix="p", exclude=[path])
        assert others == any_format_repo.git_bytes(
            "archive", "--format=tar", "--prefix=p/", "main", "--", ".", b":(exclude)" + path
        )


async def test_a_gzip_header_has_no_time_and_no_name(repositories: RepositoryServiceStub, tree: Repo) -> None:
    data = await archive(repositories, tree, format=TAR_GZ)

    assert data[3:8] == bytes(5)


async def test_a_large_archive_comes_in_pieces(repositories: RepositoryServiceStub, repo: Repo) -> None:
    content = os.urandom(3 * 1024 * 1024)
    repo.commit(files={"large": content}, ref="refs/heads/main")

    request = GetArchiveRequest(repository=repo.message, commit_id="main", format=TAR, prefix="p")
    messages = await collect(repositories.GetArchive(request))

    assert max(len(message.data) for message in messages) <= 128 * 1024
    assert files_in(b"".join(message.data for message in messages)) == {"p/large": content}


async def test_an_empty_prefix_gives_names_with_a_leading_slash(
    repositories: RepositoryServiceStub, tree: Repo
) -> None:
    names = names_in(await archive(repositories, tree))

    assert names[:3] == ["", "/README.md", "/docs"]  # tarfile takes the slash off folders


@pytest.mark.parametrize("revision", ["HEAD", "refs/heads/main", "v1", "v1^{tree}", "main~0"])
async def test_any_revision_of_a_commit_or_tree_will_do(
    repositories: RepositoryServiceStub, project: Repo, revision: str
) -> None:
    project.tag("v1", project.git("rev-parse", "main"))

    data = await archive(repositories, project, commit_id=revision, prefix="p")

    assert files_in(data) == prefixed("p/", *map(str, FILES))


@pytest.mark.parametrize("path", [b"docs", b"docs/", b"/docs", b"./docs/images/.."])
async def test_only_what_is_below_the_path_goes_in(
    repositories: RepositoryServiceStub, tree: Repo, path: bytes
) -> None:
    data = await archive(repositories, tree, prefix="p", path=path)

    assert files_in(data) == prefixed("p/", "docs/guide.md", "docs/images/logo", "docs/images/icon")


async def test_the_path_may_be_a_file(repositories: RepositoryServiceStub, tree: Repo) -> None:
    data = await archive(repositories, tree, prefix="p", path=b"docs/guide.md")

    assert files_in(data) == prefixed("p/", "docs/guide.md")


async def test_an_elided_path_does_not_show_in_the_names(
    repositories: RepositoryServiceStub, project: Repo
) -> None:
    data = await archive(repositories, project, prefix="p", path=b"docs/", elide_path=True)

    assert files_in(data) == {
        "p/guide.md": FILES["docs/guide.md"],
        "p/images/icon": FILES["docs/images/icon"],
        "p/images/logo": FILES["docs/images/logo"],
    }


async def test_the_root_can_be_elided(repositories: RepositoryServiceStub, tree: Repo) -> None:
    data = await archive(repositories, tree, prefix="p", elide_path=True)

    assert files_in(data) == prefixed("p/", *map(str, FILES))


async def test_excluded_paths_stay_out(repositories: RepositoryServiceStub, tree: Repo) -> None:
    data = await archive(repositories, tree, prefix="p", exclude=[b"docs/images/", b"README.md"])

    assert files_in(data) == prefixed("p/", "docs/guide.md", "source/main.py")


async def test_excluded_paths_of_an_elided_path_are_given_in_full(
    repositories: RepositoryServiceStub, project: Repo
) -> None:
    data = await archive(
        repositories, project, prefix="p", path=b"docs", elide_path=True, exclude=[b"docs/images"]
    )

    assert files_in(data) == {"p/guide.md": FILES["docs/guide.md"]}


async def test_a_submodule_is_a_path(repositories: RepositoryServiceStub, repo: Repo) -> None:
    files = {"module": ("160000", "1" * 40), "file": b"x"}
    repo.commit(files=files, ref="refs/heads/main")  # type: ignore[arg-type]

    assert files_in(await archive(repositories, repo, path=b"module")) == {}
    assert files_in(await archive(repositories, repo, prefix="p", exclude=[b"module"])) == {"p/file": b"x"}


async def test_a_path_that_looks_like_an_option_is_a_path(
    repositories: RepositoryServiceStub, repo: Repo
) -> None:
    repo.commit(files={"--output=x": b"safe"}, ref="refs/heads/main")

    data = await archive(repositories, repo, prefix="--p", path=b"--output=x")

    assert files_in(data) == {"--p/--output=x": b"safe"}


async def test_attributes_of_the_tree_apply(repositories: RepositoryServiceStub, repo: Repo) -> None:
    files: dict[str | bytes, bytes] = {
        ".gitattributes": b"secret export-ignore\nversion export-subst\n",
        "secret": b"x",
        "version": b"$Format:%H$",
    }
    oid = repo.commit(files=dict(files), ref="refs/heads/main")

    found = files_in(await archive(repositories, repo, prefix="p"))

    assert found == {"p/.gitattributes": files[".gitattributes"], "p/version": oid.encode()}


@pytest.mark.parametrize("include", [False, True])
async def test_lfs_pointers_stay_as_they_are(
    repositories: RepositoryServiceStub, repo: Repo, include: bool
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 3\n"
    files: dict[str | bytes, bytes] = {".gitattributes": b"*.bin filter=lfs\n", "a.bin": pointer}
    repo.commit(files=dict(files), ref="refs/heads/main")

    found = files_in(await archive(repositories, repo, prefix="p", include_lfs_blobs=include))

    assert found["p/a.bin"] == pointer


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        pytest.param(
            {"path": b"../other"},
            StatusCode.INVALID_ARGUMENT,
            "relative path escapes root directory",
            id="path escapes",
        ),
        pytest.param(
            {"path": b"docs", "exclude": [b"docs/../.."], "commit_id": ""},
            StatusCode.INVALID_ARGUMENT,
            "relative path escapes root directory",
            id="exclude escapes",
        ),
        pytest.param(
            {"commit_id": ""}, StatusCode.INVALID_ARGUMENT, "invalid commitId: empty revision", id="no commit"
        ),
        pytest.param(
            {"commit_id": "--output=/x", "format": 9},
            StatusCode.INVALID_ARGUMENT,
            "invalid commitId: revision can't start with '-'",
            id="commit is an option",
        ),
        pytest.param(
            {"commit_id": "main:docs"},
            StatusCode.INVALID_ARGUMENT,
            "invalid commitId: revision can't contain ':'",
            id="commit with path",
        ),
        pytest.param(
            {"format": 9, "path": b"absent"}, StatusCode.INVALID_ARGUMENT, "invalid format", id="format"
        ),
        pytest.param(
            {"path": b"absent"}, StatusCode.FAILED_PRECONDITION, "path doesn't exist", id="absent path"
        ),
        pytest.param(
            {"path": b"docs/Guide.md"}, StatusCode.FAILED_PRECONDITION, "path doesn't exist", id="case"
        ),
        pytest.param(
            {"path": b"docs", "commit_id": "absent"},
            StatusCode.FAILED_PRECONDITION,
            "path doesn't exist",
            id="absent commit with path",
        ),
        pytest.param(
            {"path": b"docs\0x"},
            StatusCode.INVALID_ARGUMENT,
            "revision must not contain NUL bytes",
            id="NUL in the path",
        ),
        pytest.param({"commit_id": "absent"}, StatusCode.INTERNAL, "object not found", id="absent commit"),
        pytest.param({"commit_id": "1" * 40}, StatusCode.INTERNAL, "object not found", id="missing object"),
        pytest.param(
            {"exclude": [b"docs", b"absent"]},
            StatusCode.FAILED_PRECONDITION,
            "exclude[1] doesn't exist",
            id="absent exclude",
        ),
        pytest.param(
            {"path": b"docs/", "exclude": [b"source/main.py"], "elide_path": True},
            StatusCode.INVALID_ARGUMENT,
            'invalid exclude: "source/main.py" is not a subdirectory of "docs"',
            id="exclude outside of an elided path",
        ),
        pytest.param(
            {"exclude": [b"docs"], "elide_path": True},
            StatusCode.INVALID_ARGUMENT,
            'invalid exclude: "docs" is not a subdirectory of "."',
            id="exclude with elided root",
        ),
        pytest.param(
            {"path": b"README.md", "elide_path": True},
            StatusCode.INTERNAL,
            "exit status 128",
            id="elided file",
        ),
        pytest.param(
            {"path": b"README.md", "elide_path": True, "format": TAR_GZ},
            StatusCode.INTERNAL,
            "exit status 128",
            id="elided file, compressed",
        ),
        pytest.param(
            {"prefix": "a\0b"},
            StatusCode.INTERNAL,
            'detected null byte in command argument "a\\x00b/"',
            id="NUL in the prefix",
        ),
    ],
)
async def test_what_cannot_be_archived_is_refused(
    repositories: RepositoryServiceStub, tree: Repo, fields: dict[str, object], code: StatusCode, text: str
) -> None:
    async with refused(code, text):
        await archive(repositories, tree, **fields)


async def test_an_empty_tree_has_nothing_to_archive(
    repositories: RepositoryServiceStub, any_format_repo: Repo
) -> None:
    any_format_repo.commit(ref="refs/heads/main")

    for commit_id in ("main", "main^{tree}", any_format_repo.format.empty_tree):
        async with refused(StatusCode.FAILED_PRECONDITION, "path doesn't exist"):
            await archive(repositories, any_format_repo, commit_id=commit_id)


async def test_git_ends_when_the_client_hangs_up(
    repositories: RepositoryServiceStub, daemon: Daemon, repo: Repo
) -> None:
    repo.commit(files={"large": os.urandom(8 * 1024 * 1024)}, ref="refs/heads/main")
    request = GetArchiveRequest(repository=repo.message, commit_id="main", format=TAR_GZ)

    stream = repositories.GetArchive(request)
    async for _ in stream:
        break
    stream.cancel()

    entry = await daemon.access_entry("GetArchive", **{"grpc.request.repoPath": repo.message.relative_path})
    assert entry["grpc.code"] == "Canceled"
    assert not [
        child for child in daemon.children() if {"archive", "gzip"} & {child.name(), *child.cmdline()}
    ]
