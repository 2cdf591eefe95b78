"""Reference transactions with real git."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gitaly_py.git.commands import DISABLED
from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.updating import errors
from gitaly_py.git.updating.transaction import (
    ANY,
    MUST_NOT_EXIST,
    Expected,
    MustBe,
    set_default_branch,
    transaction,
)
from tests.support.repositories import GIT, Repo

MAIN = b"refs/heads/main"


@pytest.fixture
def git() -> Git:
    return Git(
        GitSettings(binary=GIT, config=(("core.packedRefsTimeout", "10"), ("core.filesRefLockTimeout", "10")))
    )


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "r.git", request.param)


def lock(repo: Repo, name: str) -> Path:
    path = Path(repo.path, name + ".lock")
    path.touch()
    return path


def locks(repo: Repo) -> list[Path]:
    return list(Path(repo.path).rglob("*.lock"))


async def delete(git: Git, repo: Repo, name: bytes) -> None:
    async with transaction(git, repo.repository, hooks=DISABLED, no_deref=True) as opened:
        await opened.delete(name)
        await opened.commit()


async def update(git: Git, repo: Repo, *updates: tuple[bytes, str, Expected]) -> None:
    async with transaction(git, repo.repository, hooks=DISABLED) as opened:
        for name, oid, previous in updates:
            await opened.update(name, oid, previous)
        await opened.commit()


async def test_all_updates_are_applied_at_once(git: Git, repo: Repo) -> None:
    one, two = repo.history(2)
    repo.ref("refs/heads/old", one)
    repo.ref("refs/heads/gone", one)
    async with transaction(git, repo.repository, hooks=DISABLED) as opened:
        await opened.update(MAIN, two)
        await opened.update(b"refs/heads/old", two, MustBe(one))
        await opened.update(b"refs/tags/n\xff", one, MUST_NOT_EXIST)
        await opened.delete(b"refs/heads/gone", MustBe(one))
        await opened.delete(b"refs/heads/never")
        await opened.prepare()
        assert repo.references() == {b"refs/heads/old": one, b"refs/heads/gone": one}
        await opened.commit()
    assert repo.references() == {MAIN: two, b"refs/heads/old": two, b"refs/tags/n\xff": one}


async def test_many_updates_are_fed_while_git_reads(git: Git, repo: Repo) -> None:
    oid = repo.commit()
    names = [b"refs/heads/%05d" % number for number in range(3000)]
    await update(git, repo, *((name, oid, ANY) for name in names))
    assert list(repo.references()) == names


@pytest.mark.parametrize("prepared", [False, True], ids=["open", "prepared"])
@pytest.mark.parametrize("explicitly", [False, True], ids=["by leaving", "by abort"])
async def test_an_aborted_transaction_changes_nothing(
    git: Git, repo: Repo, prepared: bool, explicitly: bool
) -> None:
    oid = repo.commit()
    async with transaction(git, repo.repository, hooks=DISABLED) as opened:
        await opened.update(MAIN, oid)
        if prepared:
            await opened.prepare()
        if explicitly:
            await opened.abort()
    assert repo.references() == {}
    await update(git, repo, (MAIN, oid, ANY))


async def test_a_cancelled_transaction_leaves_no_lock(git: Git, repo: Repo) -> None:
    oid = repo.commit()
    prepared = asyncio.Event()

    async def hold() -> None:
        async with transaction(git, repo.repository, hooks=DISABLED) as opened:
            await opened.update(MAIN, oid)
            await opened.prepare()
            prepared.set()
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(hold())
    await prepared.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert locks(repo) == []
    assert repo.references() == {}


async def test_every_failure_has_its_error(git: Git, repo: Repo) -> None:
    one, two = repo.history(2, "refs/heads/main")
    missing, blob = "1" * repo.format.hex_length, repo.blob(b"x")
    repo.ref("refs/heads/d/x", one)
    failures: list[tuple[tuple[bytes, str, Expected], type[errors.UpdateError]]] = [
        ((MAIN, one, MustBe(one)), errors.StateMismatch),
        ((MAIN, one, MUST_NOT_EXIST), errors.ReferenceExists),
        ((b"refs/heads/new", one, MustBe(two)), errors.UpdateFailed),
        ((b"refs/heads/new", missing, ANY), errors.TargetMissing),
        ((b"refs/heads/new", blob, ANY), errors.NotACommit),
        ((b"refs/heads/d", one, ANY), errors.FileDirectoryConflict),
        ((b"refs/heads/..", one, ANY), errors.InvalidReferenceFormat),
        ((b"config", one, ANY), errors.InvalidReferenceFormat),
        ((b"refs/heads/a\0b", one, ANY), errors.InvalidReferenceFormat),
    ]
    for change, kind in failures:
        with pytest.raises(kind):
            await update(git, repo, change, (b"refs/heads/other", one, ANY))
    assert repo.references() == {MAIN: two, b"refs/heads/d/x": one}


async def test_a_mismatch_says_what_is_there(git: Git, repo: Repo) -> None:
    one, two = repo.history(2, "refs/heads/main")
    with pytest.raises(errors.StateMismatch) as caught:
        await update(git, repo, (MAIN, two, MustBe(one)))
    assert (caught.value.refname, caught.value.expected, caught.value.actual) == (MAIN, one, two)


async def test_updates_of_one_transaction_may_contradict_one_another(git: Git, repo: Repo) -> None:
    oid = repo.commit()
    with pytest.raises(errors.MultipleUpdates):
        await update(git, repo, (MAIN, oid, ANY), (MAIN, oid, ANY))
    with pytest.raises(errors.InTransactionConflict):
        await update(git, repo, (MAIN, oid, ANY), (MAIN + b"/sub", oid, ANY))


async def test_held_locks_are_told_apart(git: Git, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.git("pack-refs", "--all")
    held = lock(repo, "refs/heads/main")
    with pytest.raises(errors.ReferenceLocked) as caught:
        await update(git, repo, (MAIN, oid, ANY))
    assert caught.value.refname == MAIN
    os.unlink(held)
    lock(repo, "packed-refs")
    with pytest.raises(errors.PackedRefsLocked):
        await delete(git, repo, MAIN)


async def test_symbolic_references_are_followed_unless_told_otherwise(git: Git, repo: Repo) -> None:
    one, _ = repo.history(2, "refs/heads/main")
    repo.symref("refs/heads/sym", "refs/heads/main")
    await update(git, repo, (b"refs/heads/sym", one, ANY))
    assert repo.git("rev-parse", "main") == one
    await delete(git, repo, b"refs/heads/sym")
    assert repo.references() == {MAIN: one}


async def test_head_cannot_be_deleted(git: Git, repo: Repo) -> None:
    with pytest.raises(errors.InvalidReferenceFormat):
        await delete(git, repo, b"HEAD")
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"


async def test_a_value_can_be_verified_without_a_change(git: Git, repo: Repo) -> None:
    one, two = repo.history(2, "refs/heads/main")

    async def verify(oid: str) -> None:
        async with transaction(git, repo.repository, hooks=DISABLED) as opened:
            await opened.update(b"refs/heads/new", one)
            await opened.verify(MAIN, MustBe(oid))
            await opened.commit()

    with pytest.raises(errors.StateMismatch):
        await verify(one)
    assert repo.references() == {MAIN: two}
    await verify(two)
    assert repo.references() == {MAIN: two, b"refs/heads/new": one}


async def test_a_hook_that_refuses_stops_the_transaction(git: Git, repo: Repo, tmp_path: Path) -> None:
    hook = tmp_path / "reference-transaction"
    hook.write_text('#!/bin/sh\necho "$1 $WHO" >&2\nexit 1\n')
    hook.chmod(0o755)
    oid = repo.commit()
    async with transaction(git, repo.repository, hooks=str(tmp_path), env={"WHO": "me"}) as opened:
        await opened.update(MAIN, oid)
        with pytest.raises(errors.UpdateFailed) as caught:
            await opened.prepare()
    assert caught.value.stderr.startswith(b"prepared me\n")
    assert repo.references() == {}


async def test_the_default_branch_may_be_unborn(git: Git, repo: Repo) -> None:
    await set_default_branch(git, repo.repository, b"refs/heads/d\xff", hooks=DISABLED)
    assert repo.git_bytes("symbolic-ref", "HEAD") == b"refs/heads/d\xff\n"


async def test_the_default_branch_must_be_a_full_name(git: Git, repo: Repo) -> None:
    with pytest.raises(errors.MalformedDefaultBranch, match=r'^"refs/heads/a b" is a malformed refname$'):
        await set_default_branch(git, repo.repository, b"refs/heads/a b", hooks=DISABLED)


async def test_the_default_branch_is_set_under_heads_lock(git: Git, repo: Repo) -> None:
    lock(repo, "HEAD")
    with pytest.raises(errors.ReferenceLocked) as caught:
        await set_default_branch(git, repo.repository, b"refs/heads/x", hooks=DISABLED)
    assert caught.value.refname == b"HEAD"
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"
