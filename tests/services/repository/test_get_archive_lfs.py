"""GetArchive with LFS objects in place of their pointers (repository.md)."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetArchiveRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.pushes import eventually
from tests.support.rails import ALLOWS, SECRET, Answer, Rails, running_rails
from tests.support.repositories import Repo
from tests.support.status import collect, refused

TAR, ZIP = GetArchiveRequest.TAR, GetArchiveRequest.ZIP
TAR_GZ, TAR_BZ2 = GetArchiveRequest.TAR_GZ, GetArchiveRequest.TAR_BZ2

MIB = 1024 * 1024
ATTRIBUTES = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"
METADATA = (("x-gitlab-correlation-id", "correlation-of-the-download"), ("remote_ip", "10.1.2.3"))

Files = dict[str | bytes, bytes]


@pytest_asyncio.fixture(scope="module")
async def rails_of_daemon() -> AsyncIterator[Rails]:
    async with running_rails() as double:
        yield double


@pytest.fixture
def rails(rails_of_daemon: Rails) -> Rails:
    rails_of_daemon.answers = dict(ALLOWS)
    rails_of_daemon.requests.clear()
    return rails_of_daemon


@pytest_asyncio.fixture(scope="module")
async def connected(
    rails_of_daemon: Rails, tmp_path_factory: pytest.TempPathFactory, engine: str
) -> AsyncIterator[Daemon]:
    """A daemon with a Rails app."""
    tables = f'[gitlab]\nurl = "{rails_of_daemon.url}"\nsecret = "{SECRET.decode()}"\n'
    daemon = Daemon(tmp_path_factory.mktemp("connected"), engine=engine, tables=tables).start()
    yield daemon
    await daemon.close_channel()
    assert daemon.stop() == 0


@pytest.fixture
def repo(connected: Daemon) -> Repo:
    return repository_in(connected.storage)


def pointer(content: bytes) -> bytes:
    """What an LFS client commits in place of `content`."""
    oid = hashlib.sha256(content).hexdigest().encode()
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (oid, len(content))


def store(rails: Rails, *contents: bytes) -> None:
    """Puts objects into Rails' store."""
    for content in contents:
        query = f"oid={hashlib.sha256(content).hexdigest()}&gl_repository=project-1"
        rails.answers[f"/lfs?{query}"] = Answer(content, content_type="application/octet-stream")


async def archive(daemon: Daemon, repo: Repo, **fields: object) -> bytes:
    request = GetArchiveRequest(
        repository=repo.message,
        **{"commit_id": "main", "format": TAR, "prefix": "p", "include_lfs_blobs": True, **fields},
    )
    stream = daemon.stub(RepositoryServiceStub).GetArchive(request, metadata=METADATA)
    return b"".join([message.data for message in await collect(stream)])


def files_in_tar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return {
            member.name.removeprefix("p/"): opened.extractfile(member).read()  # type: ignore[union-attr]
            for member in opened
            if member.isfile()
        }


def files_in_zip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name.removeprefix("p/"): opened.read(name) for name in opened.namelist() if name[-1] != "/"}


async def archived(daemon: Daemon, repo: Repo, files: Files) -> dict[str, bytes]:
    """What `files` look like in an archive of them."""
    repo.commit(files={".gitattributes": ATTRIBUTES, **files}, ref="refs/heads/main")
    found = files_in_tar(await archive(daemon, repo))
    return {name: found[str(name)] for name in map(str, files)}


@pytest.mark.parametrize(
    ("number", "files_in"),
    [
        pytest.param(TAR, files_in_tar, id="tar"),
        pytest.param(ZIP, files_in_zip, id="zip"),
        pytest.param(TAR_GZ, lambda data: files_in_tar(gzip.decompress(data)), id="tar.gz"),
        pytest.param(TAR_BZ2, lambda data: files_in_tar(bz2.decompress(data)), id="tar.bz2"),
    ],
)
async def test_objects_replace_their_pointers(
    connected: Daemon, repo: Repo, rails: Rails, number: int, files_in: Callable[[bytes], dict[str, bytes]]
) -> None:
    one, two = b"one object", os.urandom(300_000)
    store(rails, one, two)
    files: Files = {".gitattributes": ATTRIBUTES, "a.bin": pointer(one), "b/c.bin": pointer(two)}
    repo.commit(files=files, ref="refs/heads/main")

    found = files_in(await archive(connected, repo, format=number))

    assert found == {".gitattributes": ATTRIBUTES, "a.bin": one, "b/c.bin": two}


async def test_rails_is_told_who_asks(connected: Daemon, repo: Repo, rails: Rails) -> None:
    store(rails, b"content")
    await archived(connected, repo, {"a.bin": pointer(b"content")})

    (request,) = rails.requests
    assert request.query == [
        ("oid", hashlib.sha256(b"content").hexdigest()),
        ("gl_repository", "project-1"),
    ]
    assert request.headers["X-Request-ID"] == "correlation-of-the-download"
    assert request.headers["X-Forwarded-For"] == "10.1.2.3"


async def test_sha256_repositories_have_objects_too(connected: Daemon, rails: Rails) -> None:
    store(rails, b"content")
    repo = repository_in(connected.storage, object_format="sha256")

    assert await archived(connected, repo, {"a.bin": pointer(b"content")}) == {"a.bin": b"content"}


@pytest.mark.parametrize("status", [204, 302, 401, 404, 429, 500])
async def test_a_pointer_stays_when_rails_answers_anything_but_200(
    connected: Daemon, repo: Repo, rails: Rails, status: int
) -> None:
    store(rails, b"other")
    rails.answers["/lfs"] = Answer(b"" if status == 204 else b"no such object", status)
    files: Files = {"absent.bin": pointer(b"absent"), "other.bin": pointer(b"other")}

    found = await archived(connected, repo, files)

    assert found == {"absent.bin": pointer(b"absent"), "other.bin": b"other"}


async def test_a_pointer_stays_when_its_object_ends_too_early(
    connected: Daemon, repo: Repo, rails: Rails
) -> None:
    store(rails, b"other")
    rails.answers["/lfs"] = Answer(bytes(500_000), missing=1)
    files: Files = {"broken.bin": pointer(b"broken"), "other.bin": pointer(b"other")}

    found = await archived(connected, repo, files)

    assert found == {"broken.bin": pointer(b"broken"), "other.bin": b"other"}


async def test_an_object_that_ends_too_early_fails_the_call_if_the_filter_is_required(
    connected: Daemon, repo: Repo, rails: Rails
) -> None:
    rails.answers["/lfs"] = Answer(b"half", missing=1)
    repo.git("config", "filter.lfs.required", "true")

    async with refused(StatusCode.INTERNAL, "exit status 128"):
        await archived(connected, repo, {"a.bin": pointer(b"content")})


async def test_content_that_is_no_pointer_is_not_touched(connected: Daemon, repo: Repo, rails: Rails) -> None:
    files: Files = {
        "empty.bin": b"",
        "text.bin": b"text\r\n",
        "upper.bin": pointer(b"x").upper(),
        "large.bin": os.urandom(3 * MIB),
        "long.bin": pointer(b"x") + b"x" * 1024,
    }

    assert await archived(connected, repo, files) == files
    assert rails.requests == []


async def test_an_empty_object_is_an_empty_file(connected: Daemon, repo: Repo, rails: Rails) -> None:
    store(rails, b"")

    assert await archived(connected, repo, {"a.bin": pointer(b"")}) == {"a.bin": b""}


async def test_a_pointer_with_extensions_is_one(connected: Daemon, repo: Repo, rails: Rails) -> None:
    store(rails, b"content")
    extended = pointer(b"content").replace(b"oid ", b"ext-0-case sha256:%s\noid " % (b"0" * 64), 1)
    extended = extended.replace(b"oid ", b"ext-1-zip sha256:%s\noid " % (b"1" * 64), 1)

    assert len(extended) > 200
    assert await archived(connected, repo, {"a.bin": extended}) == {"a.bin": b"content"}


async def test_attributes_say_which_files_are_filtered(connected: Daemon, repo: Repo, rails: Rails) -> None:
    store(rails, b"content")
    text = pointer(b"content")
    files: Files = {
        ".gitattributes": ATTRIBUTES,
        "a.bin": text,
        "a.txt": text,
        "raw/.gitattributes": b"*.bin -filter\n*.dat filter=lfs\n",
        "raw/a.bin": text,
        "raw/a.dat": text,
    }
    repo.commit(files=files, ref="refs/heads/main")

    found = files_in_tar(await archive(connected, repo))

    assert found == {**files, "a.bin": b"content", "raw/a.dat": b"content"}


async def test_attributes_are_those_of_the_archived_commit(
    connected: Daemon, repo: Repo, rails: Rails
) -> None:
    store(rails, b"content")
    old = repo.commit(files={"a.bin": pointer(b"content")})
    repo.commit(files={"a.bin": pointer(b"content"), ".gitattributes": ATTRIBUTES}, ref="refs/heads/main")

    found = files_in_tar(await archive(connected, repo, commit_id=old))

    assert found == {"a.bin": pointer(b"content")}


async def test_unless_asked_for_pointers_stay(connected: Daemon, repo: Repo, rails: Rails) -> None:
    store(rails, b"content")
    repo.commit(files={".gitattributes": ATTRIBUTES, "a.bin": pointer(b"content")}, ref="refs/heads/main")

    found = files_in_tar(await archive(connected, repo, include_lfs_blobs=False))

    assert found["a.bin"] == pointer(b"content")
    assert rails.requests == []


def peak_of(daemon: Daemon) -> int:
    """Bytes of memory the daemon had at most since `forget_peak_of`."""
    status = Path(f"/proc/{daemon.worker.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def forget_peak_of(daemon: Daemon) -> None:
    Path(f"/proc/{daemon.worker.pid}/clear_refs").write_text("5")


async def test_a_large_object_is_never_in_the_daemons_memory(
    connected: Daemon, repo: Repo, rails: Rails
) -> None:
    content = os.urandom(MIB) * 50
    store(rails, content)
    await archived(connected, repo, {"small": b"warms the daemon up"})

    forget_peak_of(connected)
    before = peak_of(connected)
    found = await archived(connected, repo, {"a.bin": pointer(content)})

    assert found["a.bin"] == content
    assert peak_of(connected) - before < 20 * MIB


def connections_of(daemon: Daemon, rails: Rails) -> list[object]:
    """Open connections of the daemon to Rails."""
    connections = daemon.worker.net_connections("tcp")
    return [
        each
        for each in connections
        if each.status == psutil.CONN_ESTABLISHED and rails.url.endswith(f":{each.raddr.port}")
    ]


async def test_hanging_up_ends_the_request_to_rails(connected: Daemon, repo: Repo, rails: Rails) -> None:
    rails.answers["/lfs"] = Answer(b"", until=asyncio.Event())
    files: Files = {".gitattributes": ATTRIBUTES, "a.bin": pointer(b"content")}
    repo.commit(files=files, ref="refs/heads/main")
    request = asyncio.create_task(archive(connected, repo))
    await eventually(lambda: rails.asked("/lfs") != [])
    assert connections_of(connected, rails)

    request.cancel()

    entry = await connected.access_entry("GetArchive", **{"grpc.code": "Canceled"})
    assert entry["grpc.request.repoPath"] == repo.message.relative_path
    assert not [child for child in connected.children() if "archive" in child.cmdline()]
    assert [path.name for path in (connected.root / "run").glob("*/sock.d/*") if len(path.name) == 7] == []
    await eventually(lambda: not connections_of(connected, rails))


async def test_rails_being_down_leaves_pointers(tmp_path: Path, engine: str) -> None:
    tables = f'[gitlab]\nurl = "http+unix://{tmp_path}/none"\nsecret = "x"\n'.replace(
        str(tmp_path), "%2Fnone"
    )
    daemon = Daemon(tmp_path, engine=engine, tables=tables).start()
    repo = repository_in(daemon.storage)

    assert await archived(daemon, repo, {"a.bin": pointer(b"x")}) == {"a.bin": pointer(b"x")}

    await daemon.close_channel()
    assert daemon.stop() == 0
