"""DiffService/GetPatchID (diff-conflicts.md 7)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import GetPatchIDRequest
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import odd_pair
from tests.support.repositories import ENVIRONMENT, GIT, Entry, Repo
from tests.support.status import refused


async def patch_id(daemon: Daemon, repo: Repo, old: str, new: str, *, context_free: bool = False) -> str:
    request = GetPatchIDRequest(
        repository=repo.message,
        old_revision=old.encode(),
        new_revision=new.encode(),
        context_free=context_free,
    )
    response = await daemon.stub(DiffServiceStub).GetPatchID(request)
    return str(response.patch_id)


def expected(repo: Repo, old: str, new: str, *flags: str) -> str:
    diff = repo.git_bytes("diff", "--full-index", *flags, old, new)
    identified = subprocess.run(
        [GIT, "patch-id", "--verbatim"],
        input=diff,
        check=True,
        capture_output=True,
        cwd="/",
        env={**ENVIRONMENT, "GIT_DIR": os.devnull},
    )
    return identified.stdout.decode().split(" ")[0]


def pair(repo: Repo, old: dict[str | bytes, Entry], new: dict[str | bytes, Entry]) -> None:
    first = repo.commit(files=old, ref="refs/heads/old")
    repo.commit(files=new, parents=[first], ref="refs/heads/new")


@pytest.mark.parametrize(
    ("path", "old", "new", "ids"),
    [
        ("file", b"old", b"new", ["1e1b601449ca8244bcf20f1d8bb3b12b6b899445"] * 2),
        ("file", b"old", b"  new", ["f7ca149454782d7113b74d5b032dd72abd5223fd"] * 2),
        (
            "binary",
            b"\0old",
            b"\0new",
            ["f0cecc652860f8dd490cefad3c6e5ab451192acf", "860a2112006def90fbb900226d2424bc6e004a61"],
        ),
    ],
)
async def test_ids_are_those_that_clients_have_stored(
    daemon: Daemon, any_format_repo: Repo, path: str, old: bytes, new: bytes, ids: list[str]
) -> None:
    pair(any_format_repo, {path: old}, {path: new})
    wanted = ids[any_format_repo.format.name == "sha256"]

    assert await patch_id(daemon, any_format_repo, "old", "new") == wanted
    assert await patch_id(daemon, any_format_repo, f"old:{path}", f"new:{path}") == wanted


async def test_an_id_is_git_s_for_any_change(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    found = await patch_id(daemon, any_format_repo, left, right)
    without_context = await patch_id(daemon, any_format_repo, left, right, context_free=True)

    assert found == expected(any_format_repo, left, right)
    assert without_context == expected(any_format_repo, left, right, "-U0")
    assert len(found) == 40
    assert found != without_context


async def test_lines_around_a_change_matter_unless_they_are_left_out(daemon: Daemon, repo: Repo) -> None:
    one = (repo.blob(b"a\nb\nc\n"), repo.blob(b"a\nB\nc\n"))
    other = (repo.blob(b"x\nb\nc\n"), repo.blob(b"x\nB\nc\n"))

    def named(blobs: tuple[str, str]) -> tuple[str, str]:
        commits = [repo.commit(files={"file": ("100644", blob)}) for blob in blobs]
        return f"{commits[0]}:file", f"{commits[1]}:file"

    first, second = named(one), named(other)

    assert await patch_id(daemon, repo, *first) != await patch_id(daemon, repo, *second)
    ids = [await patch_id(daemon, repo, *each, context_free=True) for each in (first, second)]
    assert ids[0] == ids[1]


async def test_a_change_of_mode_has_an_id(daemon: Daemon, any_format_repo: Repo) -> None:
    pair(any_format_repo, {"file": b"x"}, {"file": ("100755", b"x")})

    assert await patch_id(daemon, any_format_repo, "old", "new") == expected(any_format_repo, "old", "new")


async def test_a_diff_larger_than_pipes_has_an_id(daemon: Daemon, repo: Repo) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(100_000))
    pair(repo, {"file": b""}, {"file": lines})

    assert await patch_id(daemon, repo, "old", "new") == expected(repo, "old", "new")


@pytest.mark.parametrize(
    ("old", "new", "code", "text"),
    [
        ("", "main", StatusCode.INVALID_ARGUMENT, "empty OldRevision"),
        ("main", "", StatusCode.INVALID_ARGUMENT, "empty NewRevision"),
        (
            "main",
            "main",
            StatusCode.FAILED_PRECONDITION,
            "no difference between old and new revision",
        ),
        ("main:file", "main:gone", StatusCode.INTERNAL, "waiting for git-diff: exit status 128"),
        ("0" * 40, "main", StatusCode.INTERNAL, "waiting for git-diff: exit status 128"),
        (
            "main",
            "-R",
            StatusCode.INTERNAL,
            "spawning diff: positional arg \"-R\" cannot start with dash '-': invalid argument",
        ),
    ],
)
async def test_what_has_no_id_is_refused(
    daemon: Daemon, any_format_repo: Repo, old: str, new: str, code: StatusCode, text: str
) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(code, text):
        await patch_id(daemon, any_format_repo, old, new)


async def test_a_diff_that_breaks_off_has_no_id(daemon: Daemon, repo: Repo) -> None:
    pair(repo, {"a": b"1", "b": b"1"}, {"a": b"2", "b": b"2"})
    blob = repo.git("rev-parse", "new:b")
    Path(repo.path, "objects", blob[:2], blob[2:]).unlink()

    async with refused(StatusCode.INTERNAL, "waiting for git-diff: exit status 128"):
        await patch_id(daemon, repo, "old", "new")


async def test_files_of_the_machine_are_no_revisions(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name}\n")

    async with refused(StatusCode.INTERNAL, "waiting for git-diff: exit status 128"):
        await patch_id(daemon, repo, str(tmp_path / "one"), str(tmp_path / "two"))
