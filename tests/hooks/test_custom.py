"""Which custom hooks there are (transport.md 10); how they run is in test_push.py and test_receive.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.hooks.custom import CustomHooks
from gitaly_py.hooks.payload import Hook
from tests.support.pushes import install
from tests.support.repositories import GIT


@pytest.fixture
def custom(tmp_path: Path) -> CustomHooks:
    return CustomHooks(Git(GitSettings(binary=GIT)), str(tmp_path / "all"))


def found(custom: CustomHooks, tmp_path: Path, hook: Hook = Hook.UPDATE) -> list[str]:
    return [str(Path(path).relative_to(tmp_path)) for path in custom.find(str(tmp_path), hook)]


def test_hooks_come_from_three_places_sorted_by_name(custom: CustomHooks, tmp_path: Path) -> None:
    for name in (
        "all/update.d/1",
        "custom_hooks/update.d/b",
        "custom_hooks/update.d/B",
        "custom_hooks/update",
    ):
        install(tmp_path / name, "")

    assert found(custom, tmp_path) == [
        "custom_hooks/update",
        "custom_hooks/update.d/B",
        "custom_hooks/update.d/b",
        "all/update.d/1",
    ]


def test_each_hook_has_its_own(custom: CustomHooks, tmp_path: Path) -> None:
    install(tmp_path / "custom_hooks/update", "")
    install(tmp_path / "custom_hooks/pre-receive.d/x", "")

    assert found(custom, tmp_path, Hook.PRE_RECEIVE) == ["custom_hooks/pre-receive.d/x"]
    assert found(custom, tmp_path, Hook.POST_RECEIVE) == []


def test_what_is_no_program_is_skipped(custom: CustomHooks, tmp_path: Path) -> None:
    folder = tmp_path / "custom_hooks" / "update.d"
    install(folder / "backup~", "")
    install(folder / "plain", "", executable=False)
    (folder / "folder").mkdir()
    (folder / "folder-link").symlink_to("folder")
    (folder / "dangling").symlink_to("nowhere")
    install(tmp_path / "custom_hooks/update", "", executable=False)

    assert found(custom, tmp_path) == []


def test_a_link_is_judged_by_its_own_name(custom: CustomHooks, tmp_path: Path) -> None:
    program = install(tmp_path / "program~", "")
    folder = tmp_path / "custom_hooks" / "update.d"
    folder.mkdir(parents=True)
    (folder / "good").symlink_to(program)
    (folder / "bad~").symlink_to(program)

    assert found(custom, tmp_path) == ["custom_hooks/update.d/good"]


def test_a_file_in_the_place_of_a_folder_is_no_hook(custom: CustomHooks, tmp_path: Path) -> None:
    install(tmp_path / "custom_hooks/update.d", "")

    assert found(custom, tmp_path) == []
