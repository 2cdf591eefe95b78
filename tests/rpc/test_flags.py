"""Feature flags (daemon.md 8)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitaly_py.rpc import flags
from gitaly_py.rpc.exchange import Metadata
from gitaly_py.telemetry import metrics


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    flags._all_are_on.cache_clear()
    yield
    flags._all_are_on.cache_clear()


@pytest.mark.parametrize(
    ("flag", "value", "enabled"),
    [
        ("mailmap_options", None, True),
        ("mailmap_options", "true", True),
        ("mailmap_options", "false", False),
        ("mailmap_options", "TRUE", False),
        ("mailmap_options", "", False),
        ("git_master", None, False),
        ("git_master", "true", True),
        ("nobody_knows_it", None, False),
        ("nobody_knows_it", "true", True),
    ],
)
def test_a_header_switches_a_flag_and_each_has_its_default(
    flag: str, value: str | None, enabled: bool
) -> None:
    header = {} if value is None else {"gitaly-feature-" + flag.replace("_", "-"): value}
    series = metrics.feature_flag_checks.labels(flag, "true" if enabled else "false")
    before = series.value

    assert flags.is_enabled(Metadata(header), flag) is enabled
    assert series.value == before + 1


@pytest.mark.parametrize(("value", "forced"), [("true", True), ("1", True), ("0", False), ("what", False)])
def test_the_environment_switches_all_of_them_on(
    monkeypatch: pytest.MonkeyPatch, value: str, forced: bool
) -> None:
    monkeypatch.setenv("GITALY_TESTING_ENABLE_ALL_FEATURE_FLAGS", value)

    header = Metadata({"gitaly-feature-mailmap-options": "false"})
    assert flags.is_enabled(header, "mailmap_options") is forced
    assert flags.is_enabled(Metadata({}), "git_master") is forced
