"""Whether references are as they were: every change must show, and nothing uncertain may prove anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitaly_py.git.reading.refstate import ReferenceState, TooManyFiles
from tests.support.repositories import Repo
from tests.support.stamps import settle_all, unsettle


@pytest.fixture
def filled(tmp_path: Path) -> Repo:
    """A repository with loose and packed references that has been left alone for a while."""
    repo = Repo.init(tmp_path / "repo.git")
    commit = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/heads/packed", commit)
    repo.git("pack-refs", "--all")
    for name in ("refs/heads/main", "refs/heads/deep/er/one", "refs/tags/v1", "refs/tmp/x"):
        repo.ref(name, repo.commit("loose\n"))
    settle_all(repo.git_dir)
    return repo


def state_of(repo: Repo, prefix: bytes = b"refs/", **options: tuple[bytes, ...]) -> ReferenceState:
    state = ReferenceState(repo.git_dir)
    state.watch(b"HEAD")
    state.walk(prefix, at_most=1000, **options)
    return state


def path_of(repo: Repo, name: str) -> Path:
    return Path(repo.git_dir, name)


def in_place(repo: Repo) -> None:
    path_of(repo, "refs/heads/main").write_text("0" * 40 + "\n")


CHANGES: dict[str, Callable[[Repo], object]] = {
    "a branch is moved": lambda repo: repo.ref("refs/heads/main", repo.commit("new\n")),
    "a branch is made": lambda repo: repo.ref("refs/heads/new", repo.commit("new\n")),
    "a branch is made in a folder of its own": lambda repo: repo.ref("refs/x/y/z", repo.commit("new\n")),
    "a loose branch is deleted": lambda repo: repo.git("update-ref", "-d", "refs/heads/deep/er/one"),
    "a packed branch is deleted": lambda repo: repo.git("update-ref", "-d", "refs/heads/packed"),
    "references are packed": lambda repo: repo.git("pack-refs", "--all"),
    "a branch is renamed": lambda repo: repo.git("branch", "-m", "main", "other"),
    "HEAD is moved": lambda repo: repo.symref("HEAD", "refs/heads/other"),
    "a symbolic reference is made": lambda repo: repo.symref("refs/heads/s", "refs/heads/main"),
    "a file is written in place": in_place,
    "a file is replaced": lambda repo: os.replace(
        path_of(repo, "refs/tags/v1"), path_of(repo, "refs/heads/main")
    ),
    "a folder is replaced": lambda repo: path_of(repo, "refs/heads/deep").rename(
        path_of(repo, "refs/heads/deeper")
    ),
    "packed-refs goes": lambda repo: path_of(repo, "packed-refs").unlink(),
    "packed-refs is written in place": lambda repo: path_of(repo, "packed-refs").write_text("# x\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_change_of_a_reference_shows(filled: Repo, change: Callable[[Repo], object]) -> None:
    state = state_of(filled)
    assert state.unchanged()
    assert await state.holds()

    change(filled)

    assert not state.unchanged()
    assert not await state.holds()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_the_same_tick_of_the_clock_shows_too(
    filled: Repo, change: Callable[[Repo], object]
) -> None:
    in_place(filled)
    path_of(filled, "refs/heads/z").write_text("0" * 40 + "\n")
    state = state_of(filled)

    change(filled)

    assert not state.unchanged()


def test_what_has_just_changed_proves_nothing(filled: Repo) -> None:
    unsettle(path_of(filled, "refs/heads/deep/er"))

    assert not state_of(filled).proves
    assert not state_of(filled, b"refs/heads/deep/").unchanged()
    assert state_of(filled, b"refs/tags/").unchanged()


def test_a_part_does_not_depend_on_other_folders(filled: Repo) -> None:
    tags = state_of(filled, b"refs/tags/")
    visible = state_of(filled, b"refs/", without=(b"refs/tmp",))

    filled.ref("refs/tmp/y", filled.commit("hidden\n"))
    assert visible.unchanged()
    filled.ref("refs/heads/new", filled.commit("new\n"))

    assert tags.unchanged()
    assert not visible.unchanged()


def test_a_walk_gives_the_names_with_a_prefix_and_nothing_that_git_leaves_out(filled: Repo) -> None:
    for name in ("refs/heads/main.lock", "refs/heads/.hidden", "refs/heads/deep/er/one.lock"):
        path_of(filled, name).write_text("")

    def names(prefix: bytes) -> list[bytes]:
        return sorted(ReferenceState(filled.git_dir).walk(prefix, at_most=1000))

    assert names(b"refs/heads/") == [b"refs/heads/deep/er/one", b"refs/heads/main"]
    assert names(b"refs/heads/d") == [b"refs/heads/deep/er/one"]
    assert names(b"refs/heads/none/") == names(b"refs/heads/main/") == []


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "refs/heads/main", "refs/heads", "refs/heads/deep"])
def test_where_a_link_leads_elsewhere_nothing_is_certain(filled: Repo, name: str) -> None:
    path_of(filled, name).rename(path_of(filled, "moved"))
    path_of(filled, name).symlink_to(path_of(filled, "moved"))
    settle_all(filled.git_dir)

    assert not state_of(filled).proves


def test_a_file_that_is_not_there_is_watched_as_well(filled: Repo) -> None:
    state = ReferenceState(filled.git_dir)
    state.watch(b"refs/heads/none/at/all")
    state.watch(b"shallow")
    assert state.unchanged()

    path_of(filled, "shallow").write_text("")

    assert not state.unchanged()


@pytest.mark.parametrize("prefix", [b"refs/" + b"a" * 300 + b"/", b"refs/" + b"a/" * 3000])
def test_a_folder_whose_name_is_too_long_is_not_there(filled: Repo, prefix: bytes) -> None:
    assert ReferenceState(filled.git_dir).walk(prefix, at_most=1000) == []


def test_a_walk_stops_at_the_number_that_was_set(filled: Repo) -> None:
    with pytest.raises(TooManyFiles):
        ReferenceState(filled.git_dir).walk(b"refs/", at_most=3)


async def test_thousands_of_folders_are_looked_at_all_the_same(filled: Repo) -> None:
    for number in range(1500):
        path_of(filled, f"refs/heads/many/{number}").mkdir(parents=True)
    settle_all(filled.git_dir)
    state = ReferenceState(filled.git_dir)
    state.walk(b"refs/", at_most=10_000)
    assert state.size > 1500
    assert await state.holds()

    path_of(filled, "refs/heads/many/777/x").write_text("")

    assert not await state.holds()


def test_a_repository_with_reftables_depends_on_the_list_of_its_tables(tmp_path: Path) -> None:
    tables = tmp_path / "reftable"
    tables.mkdir()
    (tables / "tables.list").write_text("a\n")
    settle_all(tmp_path)
    state = ReferenceState(str(tmp_path), "reftable")
    assert state.unchanged()

    (tables / "new").write_text("b\n")
    os.replace(tables / "new", tables / "tables.list")

    assert not state.unchanged()


def test_states_are_equal_when_they_found_the_same(filled: Repo) -> None:
    assert state_of(filled) == state_of(filled)
    assert state_of(filled) != state_of(filled, b"refs/tags/")
    before = state_of(filled)
    filled.ref("refs/heads/new", filled.commit("new\n"))
    assert state_of(filled) != before


def test_reading_a_file_follows_no_link(filled: Repo) -> None:
    state = ReferenceState(filled.git_dir)
    path_of(filled, "refs/heads/link").symlink_to("main")

    assert state.read(b"HEAD") == b"ref: refs/heads/main\n"
    assert state.read(b"refs/heads/link") == b""
    assert state.read(b"refs/heads/none") is state.read(b"refs/heads") is state.read(b"HEAD/x") is None
