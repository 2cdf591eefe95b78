"""Limits that follow the load of the machine, when the configuration changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gitaly_py.config import Config, load
from gitaly_py.daemon import machine
from gitaly_py.daemon.machine import Machine
from gitaly_py.limits.adaptive import AdaptiveLimits
from gitaly_py.limits.conditions import CgroupMemory, Condition
from gitaly_py.limits.desk import Settings

LIMIT = """
[[concurrency]]
rpc = "/gitaly.RefService/RefExists"
adaptive = true
initial_limit = {initial}
min_limit = 1
max_limit = 20
"""
NAME = "perRPC/gitaly.RefService/RefExists"


class Limited:
    """Keeps the limits that it is told."""

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}

    def apply(self, limits: Mapping[str, Settings]) -> None:
        self.limits = {name: settings.limit for name, settings in limits.items()}

    def resize(self, limiter: str, limit: int) -> None:
        self.limits[limiter] = limit


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[list[Condition]]:
    """Those that limits were told to follow, one list after the other."""
    told: list[list[Condition]] = []

    class Recorded(AdaptiveLimits):
        def watch(self, conditions: object) -> None:
            told.append(conditions)  # type: ignore[arg-type]

    monkeypatch.setattr(machine, "AdaptiveLimits", Recorded)
    return told


def config(tmp_path: Path, text: str) -> Config:
    (tmp_path / "config.toml").write_text(text)
    return load(str(tmp_path / "config.toml"))


def test_an_adaptive_limit_that_is_as_it_was_goes_on(tmp_path: Path, watched: list[list[Condition]]) -> None:
    limited = Limited()
    first = config(tmp_path, LIMIT.format(initial=5))
    owner = Machine(first, limited)
    owner.limit(first)
    assert limited.limits[NAME] == 5
    owner._adaptive.calibrate()
    assert limited.limits[NAME] == 6

    owner.limit(config(tmp_path, LIMIT.format(initial=5)))
    assert limited.limits[NAME] == 6
    owner.limit(config(tmp_path, LIMIT.format(initial=9)))
    assert limited.limits[NAME] == 9
    owner.limit(config(tmp_path, ""))
    assert NAME not in limited.limits
    assert watched == []


def test_other_thresholds_count_from_a_reload_on(tmp_path: Path, watched: list[list[Condition]]) -> None:
    first = config(tmp_path, LIMIT.format(initial=5))
    owner = Machine(first, Limited())
    owner.limit(first)

    owner.limit(config(tmp_path, "[adaptive_limiting]\nmemory_threshold = 0.5\n"))

    [conditions] = watched
    assert "CgroupMemory" in [each.name for each in conditions]
    [memory] = [each for each in conditions if isinstance(each, CgroupMemory)]
    assert memory._threshold == 0.5
