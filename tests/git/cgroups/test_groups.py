"""The layout of control groups and who belongs where, on plain files (daemon.md 6.7)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gitaly_py.git.cgroups.groups import ControlGroups
from gitaly_py.git.cgroups.version2 import weight
from gitaly_py.git.errors import ControlGroupsUnusable
from gitaly_py.limits.load import Averages, Load, Pressure
from tests.support.cgroups import plain_version1, plain_version2, settings

PID = 4242
STORAGES = {"default": "/srv/default", "inner": "/srv/default/inner", "other": "/srv/other"}
LIMITS = (
    "memory_bytes = 1000000\ncpu_shares = 1024\ncpu_quota_us = 200000\n"
    "repositories.memory_bytes = 500000\nrepositories.cpu_shares = 512\nrepositories.cpu_quota_us = 50000\n"
)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def groups(mountpoint: Path, toml: str = "", root: str = "gitaly") -> ControlGroups:
    return ControlGroups(settings(mountpoint, toml, root), STORAGES, pid=PID)


def test_version_2_limits_the_daemon_and_each_repository(tmp_path: Path) -> None:
    groups(plain_version2(tmp_path), LIMITS).prepare()

    daemon, first = "gitaly/gitaly-4242", "gitaly/gitaly-4242/repos-0"
    assert contents(tmp_path) == {
        "cgroup.controllers": "cpuset cpu io memory pids",
        "cgroup.subtree_control": "+cpu +memory",
        "gitaly/cgroup.subtree_control": "+cpu +memory",
        f"{daemon}/cgroup.subtree_control": "+cpu +memory",
        f"{daemon}/memory.max": "1000000",
        f"{daemon}/cpu.weight": "39",
        f"{daemon}/cpu.max": "200000 100000",
        f"{first}/memory.max": "500000",
        f"{first}/cpu.weight": "20",
        f"{first}/cpu.max": "50000 100000",
    }


def test_version_1_has_the_same_groups_for_each_controller(tmp_path: Path) -> None:
    groups(plain_version1(tmp_path), LIMITS).prepare()

    daemon, first = "gitaly/gitaly-4242", "gitaly/gitaly-4242/repos-0"
    assert contents(tmp_path) == {
        "memory/cgroup.procs": "",
        "cpu/cgroup.procs": "",
        f"memory/{daemon}/memory.limit_in_bytes": "1000000",
        f"memory/{first}/memory.limit_in_bytes": "500000",
        f"cpu/{daemon}/cpu.shares": "1024",
        f"cpu/{daemon}/cpu.cfs_period_us": "100000",
        f"cpu/{daemon}/cpu.cfs_quota_us": "200000",
        f"cpu/{first}/cpu.shares": "512",
        f"cpu/{first}/cpu.cfs_period_us": "100000",
        f"cpu/{first}/cpu.cfs_quota_us": "50000",
    }


@pytest.mark.parametrize("plain", [plain_version1, plain_version2])
def test_no_limit_is_set_that_is_not_asked_for(tmp_path: Path, plain: Callable[[Path], Path]) -> None:
    groups(plain(tmp_path)).prepare()

    assert [path for path in contents(tmp_path) if "gitaly-" in path] == [
        path for path in contents(tmp_path) if path.endswith("gitaly-4242/cgroup.subtree_control")
    ]


@pytest.mark.parametrize("root", ["/a.slice/b/", "a.slice/b"])
def test_a_root_may_be_deep(tmp_path: Path, root: str) -> None:
    made = groups(plain_version2(tmp_path), root=root)
    made.prepare()

    assert made.path == "a.slice/b/gitaly-4242"
    handed_down = [path for path in contents(tmp_path) if path.endswith("subtree_control")]
    assert sorted(os.path.dirname(path) for path in handed_down) == [
        "",
        "a.slice",
        "a.slice/b",
        "a.slice/b/gitaly-4242",
    ]


def test_only_controllers_that_are_not_handed_down_yet_are(tmp_path: Path) -> None:
    plain_version2(tmp_path, "memory io")
    (tmp_path / "gitaly").mkdir()
    (tmp_path / "cgroup.subtree_control").write_text("io memory\n")
    groups(tmp_path).prepare()

    assert (tmp_path / "cgroup.subtree_control").read_text() == "io memory\n"
    assert (tmp_path / "gitaly/cgroup.subtree_control").read_text() == "+memory"


def test_controllers_that_cannot_be_handed_down_are_warned_of(tmp_path: Path) -> None:
    plain_version2(tmp_path)
    (tmp_path / "gitaly/cgroup.subtree_control").mkdir(parents=True)
    with capture_logs() as logs:
        groups(tmp_path).prepare()

    assert [(each["event"], each["log_level"], each["error"]) for each in logs] == [
        (
            "controllers not handed down to control groups",
            "warning",
            f"{tmp_path}/gitaly/cgroup.subtree_control: Is a directory",
        )
    ]


@pytest.mark.parametrize(
    ("shares", "expected"), [(1, 1), (2, 1), (1024, 39), (10240, 391), (262144, 10000), (10**9, 10000)]
)
def test_shares_become_a_weight(shares: int, expected: int) -> None:
    assert weight(shares) == expected


def test_a_place_without_control_groups_is_refused(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    with pytest.raises(
        ControlGroupsUnusable,
        match=f'^failed setting up cgroups: cgroups.mountpoint: there are no control groups at "{tmp_path}"',
    ):
        groups(tmp_path)


def test_groups_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    (plain_version2(tmp_path) / "gitaly").touch()
    with pytest.raises(
        ControlGroupsUnusable, match=f"^failed setting up cgroups: {tmp_path}/gitaly: File exists$"
    ):
        groups(tmp_path).prepare()


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/srv/default/@hashed/aa.git", "default/@hashed/aa.git"),
        ("/srv/default/inner/b.git", "inner/b.git"),
        ("/srv/other/c.git", "other/c.git"),
        ("/srv/others/c.git", "/srv/others/c.git"),
    ],
)
def test_a_repository_is_known_by_its_storage_and_path(tmp_path: Path, path: str, key: str) -> None:
    assert groups(plain_version2(tmp_path)).key(path) == key


def never() -> bool:
    return False


def test_the_group_follows_from_the_check_sum_of_the_key(tmp_path: Path) -> None:
    made = groups(plain_version2(tmp_path), "repositories.count = 1000\n")

    # 0xCBF43926 is the check value of CRC-32 as IEEE 802.3 has it.
    assert made.admit(1, "123456789", never) == f"gitaly/gitaly-4242/repos-{0xCBF43926 % 1000}"
    made.close()


@given(st.text(), st.integers(1, 9), st.integers(0, 9))
def test_a_repository_has_its_own_few_groups(
    tmp_path_factory: pytest.TempPathFactory, key: str, count: int, several: int
) -> None:
    folder = plain_version2(tmp_path_factory.mktemp("cgroup"))
    one = groups(folder, f"repositories.count = {count}\n")
    few = groups(folder, f"repositories.count = {count}\nrepositories.max_cgroups_per_repo = {several}\n")
    (first,) = {int(one.admit(1, key, never).rpartition("-")[2]) for _ in range(3)}
    found = {int(few.admit(1, key, never).rpartition("-")[2]) for _ in range(200)}
    one.close()
    few.close()

    assert found == {(first + step) % count for step in range(max(several, 1))}


@pytest.mark.parametrize(
    ("plain", "folders"), [(plain_version1, ["cpu/", "memory/"]), (plain_version2, [""])]
)
def test_a_group_is_made_and_limited_when_a_process_needs_it(
    tmp_path: Path, plain: Callable[[Path], Path], folders: list[str]
) -> None:
    made = groups(plain(tmp_path), "repositories.count = 1000\n" + LIMITS)
    made.prepare()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        group = made.admit(process.pid, "123456789", lambda: True)
        made.close()

    found = contents(tmp_path)
    admitted = sorted(path for path, text in found.items() if text == str(process.pid))
    assert admitted == [f"{folder}{group}/cgroup.procs" for folder in folders]
    assert sum(path.count(group) for path, text in found.items() if text == "500000") == 1


def test_a_process_that_has_ended_is_left_alone(tmp_path: Path) -> None:
    made = groups(plain_version2(tmp_path))
    made.prepare()
    before = contents(tmp_path)
    with capture_logs() as logs:
        made.admit(1, "a", never)
        made.close()

    assert contents(tmp_path) == before
    assert not logs


def test_a_process_that_cannot_be_put_anywhere_is_reported_until_it_works_again(tmp_path: Path) -> None:
    made = groups(plain_version2(tmp_path))
    pid = os.getpid()
    with capture_logs() as logs:
        for _ in range(2):
            made.admit(pid, "a", lambda: True)
        made._mover.submit(made.prepare).result()
        made.admit(pid, "a", lambda: True)
        made.close()

    assert [(each["event"], each["log_level"]) for each in logs if each["log_level"] == "error"] == [
        ("process not put in its control group", "error")
    ]


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_groups_of_dead_daemons_are_removed(tmp_path: Path) -> None:
    folder = plain_version1(tmp_path)
    dead, alive = dead_pid(), os.getpid()
    for controller in ("memory", "cpu"):
        for name in (f"gitaly-{dead}/repos-1", f"gitaly-{alive}/repos-1", "gitaly-x", f"other-{dead}"):
            (folder / controller / "gitaly" / name).mkdir(parents=True)
    (folder / "cpu" / "gitaly" / f"gitaly-{dead}" / "repos-1").rmdir()
    groups(folder).prune()

    for controller in ("memory", "cpu"):
        left = {path.name for path in (folder / controller / "gitaly").iterdir()}
        assert left == {f"gitaly-{alive}", "gitaly-x", f"other-{dead}"}


def test_groups_are_removed_at_the_end(tmp_path: Path) -> None:
    folder = plain_version1(tmp_path)
    made = groups(folder)
    made.prepare()
    made.remove()

    assert [path.name for path in (folder / "memory" / "gitaly").iterdir()] == []


def test_groups_that_a_daemon_of_the_same_pid_left_are_made_anew(tmp_path: Path) -> None:
    stale = plain_version1(tmp_path) / "memory" / "gitaly" / f"gitaly-{PID}" / "repos-3"
    stale.mkdir(parents=True)
    groups(tmp_path).prepare()

    assert [path.name for path in stale.parent.iterdir()] == ["repos-0"]


def test_a_group_that_cannot_be_removed_is_warned_of(tmp_path: Path) -> None:
    made = groups(plain_version1(tmp_path), LIMITS)
    made.prepare()
    with capture_logs() as logs:
        made.remove()

    assert [(each["event"], each["log_level"], each["path"]) for each in logs] == [
        ("control group not removed", "warning", f"{made.path}/repos-0"),
        ("control group not removed", "warning", made.path),
    ]


PSI = "some avg10=1.00 avg60=2.00 avg300=3.00 total=1\nfull avg10=0.10 avg60=0.20 avg300=0.30 total=1\n"
STALLS = Pressure(Averages(1, 2, 3), Averages(0.1, 0.2, 0.3))


def facts(load: Load) -> dict[str, object]:
    """What a load says, without the moment."""
    return {name: getattr(load, name) for name in Load.__slots__ if name != "seconds"}


def fill(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_the_load_is_read_from_version_2(tmp_path: Path) -> None:
    made = groups(plain_version2(tmp_path))
    fill(
        tmp_path / made.path,
        {
            "memory.current": "300\n",
            "memory.max": "1000\n",
            "memory.stat": "anon 200\nfile 100\n",
            "memory.events": "low 0\nhigh 4\nmax 5\noom 6\noom_kill 7\n",
            "cpu.stat": "usage_usec 9\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1500000\n",
            "memory.pressure": PSI,
            "io.pressure": PSI.replace("1.00", "9.00"),
            "cpu.pressure": PSI.splitlines()[0],
        },
    )

    assert facts(made.load()) == {
        "path": "gitaly/gitaly-4242",
        "memory_bytes": 300,
        "anon_bytes": 200,
        "limit_bytes": 1000,
        "under_oom": None,
        "throttled_seconds": 1.5,
        "throttled_count": 2,
        "memory_pressure": STALLS,
        "io_pressure": Pressure(Averages(9, 2, 3), STALLS.full),
        "cpu_pressure": Pressure(STALLS.some),
        "oom_kills": 7,
        "memory_high_events": 4,
        "memory_max_events": 5,
    }


def test_the_load_is_read_from_version_1(tmp_path: Path) -> None:
    made = groups(plain_version1(tmp_path))
    fill(
        tmp_path / "memory" / made.path,
        {
            "memory.usage_in_bytes": "300\n",
            "memory.limit_in_bytes": "1000\n",
            "memory.stat": "rss 1\ntotal_rss 200\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 1\noom_kill 7\n",
        },
    )
    fill(
        tmp_path / "cpu" / made.path,
        {"cpu.stat": "nr_periods 3\nnr_throttled 2\nthrottled_time 1500000000\n"},
    )

    known = {name: value for name, value in facts(made.load()).items() if value is not None}
    assert known == {
        "path": "gitaly/gitaly-4242",
        "memory_bytes": 300,
        "anon_bytes": 200,
        "limit_bytes": 1000,
        "under_oom": True,
        "throttled_seconds": 1.5,
        "throttled_count": 2,
        "oom_kills": 7,
    }
    (tmp_path / "memory" / made.path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert made.load().limit_bytes is None


@pytest.mark.parametrize("plain", [plain_version1, plain_version2])
def test_a_group_that_is_gone_has_no_load(tmp_path: Path, plain: Callable[[Path], Path]) -> None:
    with pytest.raises(FileNotFoundError):
        groups(plain(tmp_path)).load()
