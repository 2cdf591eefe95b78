"""The alerts and recording rules of `deploy/prometheus`, in the hands of Prometheus' own tools."""

from __future__ import annotations

import re

from tests.support.peers import needs, run
from tests.support.prometheus import FILES, Prometheus, needs_prometheus

needs_promtool = needs("promtool", "prometheus")
RULES = [FILES / "alerts.yml", FILES / "recording.yml"]
UNIT_TESTS = sorted((FILES / "tests").glob("*.yml"))
_CHECK = re.compile(
    r'ALERTS\{alertname="(\w+)", alertstate="firing"\}\n +eval_time: \w+\n +exp_samples:( \[\])?\n'
)


def alert_names() -> set[str]:
    return set(re.findall(r"- alert: (\w+)", RULES[0].read_text()))


@needs_promtool
async def test_promtool_finds_no_fault_in_the_rules_and_the_example() -> None:
    for line in (["rules", "--lint-fatal", *RULES], ["config", "--lint-fatal", FILES / "prometheus.yml"]):
        finished = await run("promtool", "check", *line)
        assert finished.status == 0, finished


@needs_promtool
async def test_the_unit_tests_of_the_alerts_pass() -> None:
    finished = await run("promtool", "test", "rules", *UNIT_TESTS)

    assert finished.status == 0, finished


def test_each_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    checks = [check for file in UNIT_TESTS for check in _CHECK.findall(file.read_text())]

    assert {name for name, nothing in checks if not nothing} == alert_names()
    assert {name for name, nothing in checks if nothing} == alert_names()


@needs_prometheus
async def test_prometheus_scrapes_a_running_daemon(prometheus: Prometheus) -> None:
    targets = await prometheus.when(
        "targets", lambda data: [target["health"] for target in data["activeTargets"]] == ["up"]
    )

    assert targets["activeTargets"][0]["labels"]["job"] == "gitaly"
    assert targets["activeTargets"][0]["lastError"] == ""


@needs_prometheus
async def test_prometheus_loads_and_evaluates_each_rule(prometheus: Prometheus) -> None:
    rules = await prometheus.rules()

    assert {rule["name"] for rule in rules if rule["type"] == "alerting"} == alert_names()
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    for rule in rules:
        await prometheus.query(rule["query"])


@needs_prometheus
async def test_each_alert_says_how_bad_it_is_and_what_to_look_at(prometheus: Prometheus) -> None:
    for rule in await prometheus.rules():
        if rule["type"] == "alerting":
            assert rule["labels"]["severity"] in ("critical", "warning"), rule
            assert rule["duration"] >= 60, rule
            assert rule["annotations"].keys() == {"summary", "description"}, rule
            assert all(rule["annotations"].values()), rule


@needs_prometheus
async def test_a_call_arrives_in_the_recorded_series(prometheus: Prometheus) -> None:
    query = 'method:grpc_server_handled:rate5m{grpc_method="RepositoryExists"} > 0'

    found = await prometheus.when("query", lambda data: data["result"], query=query)

    assert found["result"][0]["metric"]["grpc_service"] == "gitaly.RepositoryService"


@needs_prometheus
async def test_a_daemon_without_trouble_raises_no_alert(prometheus: Prometheus) -> None:
    await prometheus.rules()

    await prometheus.when("query", lambda data: not data["result"], query="ALERTS")
