"""Dashboards and rules ask for what the daemon has: metrics, labels, and values where these are known."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitaly_py.telemetry.metrics import REGISTRY
from tests.deploy.conftest import Exposed
from tests.support.dashboards import FILES, queries
from tests.support.metrics import Metrics, scrape
from tests.support.prometheus import Prometheus, needs_prometheus
from tests.support.promql import Use, uses

TARGET = frozenset({"job", "instance"})

OF_PROMETHEUS: Mapping[str, frozenset[str]] = {"up": frozenset()}
KNOWN_FROM_THE_START = {"grpc_type", "grpc_service", "grpc_method", "grpc_code"}
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def series_names(family: str, kind: str) -> set[str]:
    """The names of the series of a metric."""
    return {family + suffix for suffix in _SUFFIXES.get(kind, ("",))}


def exposed_names(metrics: Metrics) -> set[str]:
    """The names of the series that a daemon has or will have."""
    declared = {name for family, kind in metrics.types.items() for name in series_names(family, kind)}
    return declared | metrics.names()


def declared_labels() -> dict[str, frozenset[str]]:
    """The labels of every declared metric, whether it has series yet or not."""
    declared = {}
    for collector in REGISTRY._collector_to_names:
        labels = getattr(collector, "_labelnames", getattr(collector, "_labels", ()))
        for family in collector.collect():
            for name in series_names(family.name, family.type):
                declared[name] = frozenset(labels) | ({"le"} if name.endswith("_bucket") else set())
    return declared


def assert_known(found: list[Use], labels: Mapping[str, frozenset[str]], metrics: Metrics) -> None:
    """Fails for a metric, a label or a value that does not exist."""
    for use in found:
        assert use.metric in labels, use
        assert use.labels <= labels[use.metric] | TARGET, use
        for matcher in use.matchers:
            if matcher.label in KNOWN_FROM_THE_START and use.metric.startswith(("grpc_", "method:")):
                assert set(matcher.alternatives) <= metrics.label_values(), matcher


@pytest.fixture
async def metrics(exposed: Exposed) -> Metrics:
    return await scrape(exposed.port)


@pytest.fixture
def labels(metrics: Metrics) -> dict[str, frozenset[str]]:
    """The labels of each series that may be asked for."""
    declared = declared_labels()
    exposed = {name: declared.get(name, frozenset()) for name in exposed_names(metrics)}
    return {**OF_PROMETHEUS, **exposed}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_dashboards_ask_for_what_there_is(
    file: Path, labels: dict[str, frozenset[str]], metrics: Metrics
) -> None:
    assert_known([use for query in queries(file) for use in uses(query)], labels, metrics)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_variables_ask_for_what_there_is(file: Path, labels: dict[str, frozenset[str]]) -> None:
    for variable in json.loads(file.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
            assert asked is not None
            assert asked[2] in TARGET
            assert all(use.metric in labels and use.labels <= TARGET for use in uses(asked[1]))


@needs_prometheus
async def test_rules_ask_for_what_there_is(
    prometheus: Prometheus, labels: dict[str, frozenset[str]], metrics: Metrics
) -> None:
    rules = await prometheus.rules()
    for rule in rules:
        if rule["type"] == "recording":
            data = await prometheus.when("query", lambda data: data["result"], query=rule["name"])
            labels[rule["name"]] = frozenset(data["result"][0]["metric"])

    assert_known([use for rule in rules for use in uses(rule["query"])], labels, metrics)
