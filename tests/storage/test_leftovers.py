from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitaly_py.storage.leftovers import remove_quarantines
from gitaly_py.storage.temporary import TemporaryAreas
from tests.support.plain_git import incoming
from tests.support.repositories import Repo


@pytest.fixture
def left_over(repo: Repo) -> Path:
    """A quarantine in `repo`."""
    folder = Path(repo.git_dir, "objects/tmp_objdir-incoming-x1Y2z3")
    (folder / "pack").mkdir(parents=True)
    (folder / "pack/tmp_pack_1").write_bytes(b"PACK")
    (folder / "pack/keep").touch(mode=0o400)
    return folder


def test_quarantines_of_dead_pushes_are_removed(root: Path, repo: Repo, left_over: Path) -> None:
    other = Repo.init(root / "b/deeper/other.git")
    Path(other.git_dir, "objects/tmp_objdir-incoming-2").mkdir()

    remove_quarantines(str(root), threading.Event())

    assert (incoming(repo), incoming(other)) == ([], [])


def test_nothing_else_is_removed(root: Path, repo: Repo, tmp_path: Path) -> None:
    repo.history(1, "refs/heads/main")
    objects = Path(repo.git_dir, "objects")
    (objects / "tmp_objdir-incoming-file").touch()
    (objects / "tmp_objdir-other-1").mkdir()
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", objects / "tmp_objdir-incoming-link")
    inside = Repo.init(Path(repo.git_dir, "objects/inside.git"))
    Path(inside.git_dir, "objects/tmp_objdir-incoming-1").mkdir()
    before = sorted(str(path) for path in root.rglob("*"))

    remove_quarantines(str(root), threading.Event())

    assert sorted(str(path) for path in root.rglob("*")) == before


@pytest.fixture
def push(repo: Repo) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works in `repo`, as receive-pack does."""
    with subprocess.Popen(
        ["git", "receive-pack", repo.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(4)
        yield process
        process.kill()


def test_a_push_that_runs_keeps_its_quarantine(
    root: Path, repo: Repo, left_over: Path, push: subprocess.Popen[bytes]
) -> None:
    remove_quarantines(str(root), threading.Event())
    while_running = incoming(repo)
    push.kill()
    push.wait()
    remove_quarantines(str(root), threading.Event())

    assert while_running == [left_over.name]
    assert incoming(repo) == []


def test_the_walk_ends_when_the_daemon_stops(root: Path, repo: Repo, left_over: Path) -> None:
    stopping = threading.Event()
    stopping.set()

    remove_quarantines(str(root), stopping)

    assert left_over.exists()


def test_a_storage_whose_daemon_was_killed_is_known(root: Path) -> None:
    clean, killed, later = (TemporaryAreas([str(root)]) for _ in range(3))
    found = [clean.sweep()]
    clean.release()
    found.append(killed.sweep())
    for lock in killed._locks:
        os.close(lock)
    found.append(later.sweep())
    later.release()

    last = TemporaryAreas([str(root)])
    found.append(last.sweep())
    last.release()

    assert found == [[], [], [str(root)], []]


def test_of_two_daemons_the_last_one_to_go_leaves_no_mark(root: Path) -> None:
    first, second, third = (TemporaryAreas([str(root)]) for _ in range(3))
    first.sweep()
    second.sweep()
    first.release()
    marked = (root / "+gitaly/tmp.lock").stat().st_size
    second.release()

    assert marked > 0
    assert third.sweep() == []
    third.release()
