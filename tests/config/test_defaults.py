from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.config import Config, parse
from gitaly_py.config.defaults import cleaned
from gitaly_py.config.maintenance import DailyMaintenance

STORAGE = '[[storage]]\nname = "a"\npath = "/srv//a/"\n[[storage]]\nname = "b"\npath = "/srv/x/../b"\n'


def config(toml: str) -> Config:
    return parse(toml.encode())


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a//", "/a"), ("/a/b/..", "/a"), ("//a", "/a"), ("", ""), ("a/./b", "a/b"), ("/..", "/")],
)
def test_paths_are_cleaned_lexically(path: str, expected: str) -> None:
    assert cleaned(path) == expected


@given(st.text(alphabet="/.a", max_size=12))
def test_a_cleaned_path_stays_as_it_is(path: str) -> None:
    assert cleaned(cleaned(path)) == cleaned(path)


def test_storage_paths_are_cleaned() -> None:
    assert [storage.path for storage in config(STORAGE).storage] == ["/srv/a", "/srv/b"]


def test_directories_of_the_daemon_are_made_absolute() -> None:
    loaded = config('bin_dir = "bin"\nruntime_dir = "/run/x/"')

    assert (loaded.bin_dir, loaded.runtime_dir) == (os.path.join(os.getcwd(), "bin"), "/run/x")


@pytest.mark.parametrize(
    ("toml", "secret_file"),
    [
        pytest.param("", ".gitlab_shell_secret", id="nothing set"),
        pytest.param('gitlab-shell.dir = "/shell"', "/shell/.gitlab_shell_secret", id="of gitlab-shell"),
        pytest.param('gitlab.secret_file = "/s"\ngitlab-shell.dir = "/shell"', "/s", id="own"),
        pytest.param('gitlab.secret = "x"\ngitlab-shell.dir = "/shell"', "", id="secret itself"),
    ],
)
def test_the_secret_file_has_a_default(toml: str, secret_file: str) -> None:
    assert config(toml).gitlab.secret_file == secret_file


@pytest.mark.parametrize(
    ("toml", "hooks"),
    [
        pytest.param("", "", id="nothing set"),
        pytest.param('gitlab-shell.dir = "/shell"', "/shell/hooks", id="of gitlab-shell"),
        pytest.param('hooks.custom_hooks_dir = "/own"\ngitlab-shell.dir = "/shell"', "/own", id="own"),
    ],
)
def test_the_custom_hooks_have_a_default_directory(toml: str, hooks: str) -> None:
    assert config(toml).hooks.custom_hooks_dir == hooks


def test_maintenance_that_is_left_out_runs_at_noon_on_all_storages() -> None:
    maintenance = config(STORAGE).daily_maintenance

    assert (maintenance.start_hour, maintenance.start_minute, str(maintenance.duration)) == (12, 0, "10m0s")
    assert maintenance.storages == ("a", "b")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("disabled = true", DailyMaintenance(disabled=True)),
        ("start_minute = 1", DailyMaintenance(start_minute=1)),
    ],
)
def test_maintenance_that_is_set_gets_no_defaults(key: str, expected: DailyMaintenance) -> None:
    assert config(STORAGE + f"[daily_maintenance]\n{key}").daily_maintenance == expected


def test_a_limit_that_is_adaptive_keeps_its_own_number() -> None:
    limiting = config("pack_objects_limiting.adaptive = true").pack_objects_limiting

    assert (limiting.max_concurrency, limiting.max_queue_size) == (200, 200)


@pytest.mark.parametrize(
    ("toml", "size", "length"),
    [
        ("max_queue_length = 7", 7, 7),
        ("max_queue_size = 3\nmax_queue_length = 7", 3, 7),
        ("max_queue_size = -1", -1, 0),
    ],
)
def test_the_old_name_of_the_queue_counts_when_it_is_alone(toml: str, size: int, length: int) -> None:
    limiting = config(f"[pack_objects_limiting]\n{toml}").pack_objects_limiting

    assert (limiting.max_queue_size, limiting.max_queue_length) == (size, length)


def test_a_limit_that_is_off_stays_off() -> None:
    assert config("pack_objects_limiting.max_concurrency = 0").pack_objects_limiting.limit == 0


@pytest.mark.parametrize(
    ("keys", "limit", "is_set"),
    [
        ("max_per_repo = 3", 3, True),
        ("max_per_repo = 3\nmax_concurrency = 5", 5, True),
        ("adaptive = true", 0, True),
        ("max_queue_size = 9", 0, False),
    ],
)
def test_the_newer_name_of_a_limit_wins(keys: str, limit: int, is_set: bool) -> None:
    (entry,) = config(f'[[concurrency]]\nrpc = "x"\n{keys}').concurrency

    assert (entry.limit, entry.is_set) == (limit, is_set)


def test_only_callers_with_a_name_get_a_default_queue() -> None:
    (entry,) = config("[[concurrency]]\nmax_queue_size = 0\n[concurrency.unauthenticated]").concurrency

    assert entry.max_queue_size == 500
    assert entry.unauthenticated is not None
    assert entry.unauthenticated.max_queue_size == 0


def test_pressure_gets_thresholds_once_it_is_watched() -> None:
    psi = config(
        "[adaptive_limiting.psi_pressure]\n"
        "cpu = {enabled = true, backoff_threshold = 33}\n"
        "io = {enabled = true}"
    ).adaptive_limiting.psi_pressure

    assert (psi.cpu.warning_threshold, psi.cpu.backoff_threshold, psi.cpu.critical_threshold) == (20, 33, 50)
    assert (psi.io.warning_threshold, psi.io.backoff_threshold, psi.io.critical_threshold) == (10, 20, 40)
    assert psi.memory.critical_threshold == 0


def test_adaptive_limits_have_thresholds_even_when_they_are_zero() -> None:
    limiting = config(
        "adaptive_limiting = {cpu_throttled_threshold = 0, memory_threshold = 0.0}"
    ).adaptive_limiting

    assert (limiting.cpu_throttled_threshold, limiting.memory_threshold) == (0.5, 0.6)


def test_former_control_group_keys_fill_the_repositories_section() -> None:
    repositories = config(
        "[cgroups]\ncount = 5\nmemory = {enabled = true, limit = 100}\ncpu = {enabled = false, shares = 9}"
    ).cgroups.repositories

    assert (repositories.count, repositories.memory_bytes, repositories.cpu_shares) == (5, 100, 0)
    assert repositories.max_cgroups_per_repo == 1


def test_former_control_group_keys_are_ignored_next_to_newer_ones() -> None:
    repositories = config("cgroups = {count = 5, repositories = {count = 2}}").cgroups.repositories

    assert repositories.count == 2


def test_caches_get_a_folder_and_an_age_once_they_are_enabled() -> None:
    loaded = config(
        STORAGE + "[pack_objects_cache]\nenabled = true\n[archive_cache]\nenabled = true\nmax_age = '1h'"
    )

    assert loaded.pack_objects_cache.dir == "/srv/a/+gitaly/PackObjectsCache"
    assert str(loaded.pack_objects_cache.max_age) == "5m0s"
    assert loaded.archive_cache.dir == "/srv/a/+gitaly/ArchiveCache"
    assert str(loaded.archive_cache.max_age) == "1h0m0s"
    assert config(STORAGE).archive_cache.dir == ""


def test_the_cat_file_cache_has_a_least_size() -> None:
    assert config("git.catfile_cache_size = -1").git.catfile_cache_size == 100
    assert config("git.catfile_cache_size = 1").git.catfile_cache_size == 1
