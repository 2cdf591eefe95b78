"""The dashboards of `deploy/grafana`: their form, and what a Prometheus says to their queries."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.support.dashboards import FILES, panels, queries, substituted
from tests.support.prometheus import Prometheus, needs_prometheus
from tests.support.promql import uses

each_dashboard = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24


def cells(place: dict[str, int]) -> set[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))


def test_there_is_a_dashboard_for_each_subject() -> None:
    assert [file.stem for file in FILES] == ["limits", "overview", "packs"]
    assert len({json.loads(file.read_text())["uid"] for file in FILES}) == len(FILES)


@each_dashboard
def test_source_job_and_instance_are_variables(file: Path) -> None:
    dashboard = json.loads(file.read_text())

    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}
    assert {"$job", "$instance"} <= {
        matcher.value for query in queries(file) for use in uses(query) for matcher in use.matchers
    }
    for query in queries(file):
        assert all({"job", "instance"} <= use.labels for use in uses(query)), query
    assert all(panel["datasource"] == SOURCE for panel in panels(file))


@each_dashboard
def test_panels_have_a_number_and_a_place_of_their_own(file: Path) -> None:
    everything = json.loads(file.read_text())["panels"]

    numbers = [panel["id"] for panel in everything]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        mine = cells(panel["gridPos"])
        assert not mine & taken, panel["title"]
        assert max(column for column, _ in mine) < WIDTH, panel["title"]
        taken |= mine


@needs_prometheus
@each_dashboard
async def test_prometheus_evaluates_each_query(prometheus: Prometheus, file: Path) -> None:
    for query in map(substituted, queries(file)):
        assert "$" not in query
        await prometheus.query(query)


@needs_prometheus
async def test_the_overview_shows_a_running_daemon(prometheus: Prometheus) -> None:
    overview = next(file for file in FILES if file.stem == "overview")
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in panels(overview)}

    for title in ("Daemons up", "Calls", "Calls by service", "Memory of the daemon", "Versions"):
        await prometheus.when("query", lambda data: data["result"], query=substituted(shown[title]))
