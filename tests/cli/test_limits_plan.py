"""`gitaly-py limits plan`: logged calls, replayed against other limits."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.access_log import FETCH, as_json, delayed, entry, refused
from tests.support.commands import Outcome, gitaly_py, gitaly_py_process

NAME = f"perRPC{FETCH}"
BUSY = as_json(
    {"msg": "Started Gitaly", "level": "info"},
    refused(3, "max_size"),
    entry(0, 10),
    delayed(1, 10, 9),
    refused(2, "max_time", 15),
    entry(40, 4, repository="b.git"),
)
"""A daemon with a limit of 1: of four calls one waited and two were refused; one is of another repository."""

TEXT = " ".join(
    [
        'time="2026-02-25T06:13:30.000Z" level=info msg="finished unary call with code OK"',
        f'error="rpc error: \\"x=y\\"" grpc.code=OK grpc.request.fullMethod={FETCH}',
        "grpc.request.repoPath=@hashed/a.git",
        'grpc.start_time="2026-02-25T06:13:20.000" grpc.time_ms=10000.5 span.kind=server username=rosa\n',
    ]
)


@pytest.fixture
def busy(tmp_path: Path) -> str:
    path = tmp_path / "busy.log"
    path.write_text(BUSY)
    return str(path)


def plan(*args: str, stdin: str | bytes = "") -> Outcome:
    return gitaly_py("limits", "plan", *args, stdin=stdin)


def document(*args: str, stdin: str | bytes = "") -> dict[str, Any]:
    status, stdout, stderr = plan(*args, "--json", stdin=stdin)
    assert (status, stderr) == (0, "")
    found: dict[str, Any] = json.loads(stdout)
    return found


def only(found: dict[str, Any]) -> dict[str, Any]:
    (limiter,) = found["limiters"]
    assert limiter["name"] == NAME
    return dict(limiter)


def test_the_recorded_and_the_simulated_stand_side_by_side(busy: str) -> None:
    found = document("--log", busy, "--what-if", f"{FETCH}=2,1")
    limiter = only(found)
    old, new = limiter["recorded"], limiter["simulated"]

    assert (limiter["limit"], limiter["max_queue"], limiter["max_wait"]) == (2, 1, 0)
    assert (old["calls"], old["admitted"], old["rejected"]) == (5, 3, {"max_size": 1, "max_time": 1})
    assert (old["delayed"], old["wait"]["max"], old["peak_waiting"]) == (2, 9, 2)
    assert old["first_rejection"] == "2026-02-25T06:13:23.000Z"
    assert old["last_rejection"] == "2026-02-25T06:13:37.000Z"
    # Refused calls run for a second, the median of their repository: never more than two at a time.
    assert (new["rejected"], new["peaks_of_one_key"]) == ({}, {"running": 2, "waiting": 0})
    assert (new["delayed"], new["wait"]["max"]) == (0, 0)
    assert (found["replayed"], found["estimated"], found["estimated_as_nothing"]) == (5, 2, 0)
    assert found["totals"]["recorded"] == {"delayed": 2, "wait_sum": 9, "rejected": old["rejected"]}
    assert found["totals"]["simulated"] == {"delayed": 0, "wait_sum": 0, "rejected": {}}


def test_keys_that_were_held_up_are_listed_and_others_not(busy: str) -> None:
    (key,) = only(document("--log", busy, "--what-if", f"{FETCH}=1"))["keys"]

    assert key["key"] == "a.git"
    assert [key[side]["calls"] for side in ("recorded", "simulated")] == [4, 4]
    # The newest goes first, so the one that came first waits for all of the others.
    assert key["simulated"]["wait"]["max"] == 11
    assert only(document("--log", busy, "--what-if", f"{FETCH}=1", "--keys", "0"))["keys"] == []


def test_series_have_the_same_intervals_even_if_one_lasts_longer() -> None:
    log = as_json(*(entry(0, 100) for _ in range(3)), refused(1, "max_size"), refused(2, "max_size"))
    limiter = only(document("--log", "-", "--what-if", f"{FETCH}=1", stdin=log))
    old, new = (limiter[side]["series"] for side in ("recorded", "simulated"))

    assert old["interval_seconds"] == new["interval_seconds"]
    assert len({len(side[what]) for side in (old, new) for what in ("running", "waiting", "rejected")}) == 1
    assert sum(old["rejected"]) == 2


def test_a_configuration_that_has_no_limit_any_more_is_compared_all_the_same(
    busy: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text("")
    limiter = only(document("--log", busy, "--config", str(tmp_path / "config.toml")))

    assert (limiter["limit"], limiter["simulated"]["rejected"]) == (0, {})
    assert limiter["recorded"]["rejected"] == {"max_size": 1, "max_time": 1}


def test_changes_come_on_top_of_a_configuration(busy: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[[concurrency]]\nrpc = "{FETCH}"\nmax_concurrency = 1\nmax_queue_wait = "5s"\n')

    assert only(document("--log", busy, "-c", str(config)))["simulated"]["rejected"] == {"max_time": 3}
    changed = only(document("--log", busy, "-c", str(config), "--what-if", f"{FETCH}=1,1"))
    assert (changed["max_queue"], changed["max_wait"]) == (1, 5)
    assert changed["simulated"]["rejected"] == {"max_time": 1, "max_size": 2}


def test_adaptive_limits_are_said_to_stand_still(busy: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[concurrency]]\nrpc = "{FETCH}"\nadaptive = true\n'
        "min_limit = 1\ninitial_limit = 2\nmax_limit = 9\n"
    )
    common = ("--log", busy, "-c", str(config))

    assert only(document(*common))["limit"] == 2
    assert only(document(*common, "--adaptive", "max"))["limit"] == 9
    printed = plan(*common, "--adaptive", "min").stdout
    assert f"adaptive limits stand at their min value: {NAME}" in printed.splitlines()
    assert f"{NAME}: limit 1, queue 500, wait without bound" in printed.splitlines()


def test_the_report_for_people_has_the_same_facts(busy: str) -> None:
    status, stdout, stderr = plan("--log", busy, "--what-if", f"{FETCH}=1,1,5s")
    rows = [re.split(r"  +", line.strip()) for line in stdout.splitlines()]

    assert (status, stderr) == (0, "")
    assert rows[0] == [
        "5 of 5 calls met a limiter; arrivals from 2026-02-25T06:13:20.000Z to 2026-02-25T06:14:00.000Z"
    ]
    assert rows[1][0].startswith("2 calls got no slot when they were logged")
    assert [f"{NAME}: limit 1, queue 1, wait 5s"] in rows
    assert ["wait max", "9 s", "0"] in rows
    assert ["refused max_size", "1", "2"] in rows
    assert ["refused max_time", "1", "1"] in rows
    assert ["a.git", "4", "1 > 1", "2 > 1", "2 > 1", "9 s > 0", "9 s > 0", "2 > 3"] in rows
    bars = {line.split()[-1] for line in stdout.splitlines() if line.startswith("  refused   ")}
    assert bars == {"1"}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("through_stdin", [False, True])
def test_a_log_may_be_compressed_and_come_from_standard_input(
    tmp_path: Path, compressed: bool, through_stdin: bool
) -> None:
    data = gzip.compress(BUSY.encode()) if compressed else BUSY.encode()
    path = tmp_path / "log"
    path.write_bytes(data)
    change = ("--what-if", f"{FETCH}=1")

    found = document("--log", "-" if through_stdin else str(path), *change, stdin=data)

    assert (found["log"]["lines"], found["log"]["calls"]) == (6, 5)


def test_a_log_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(TEXT * 3 + 'time="2026-02-25T06:13:30.000Z" level=info msg=other\n')
    found = document("--log", str(tmp_path / "log"), "--what-if", f"{FETCH}=1")

    assert (found["log"]["lines"], found["log"]["malformed"], found["log"]["calls"]) == (4, 0, 3)
    assert only(found)["keys"][0]["key"] == "@hashed/a.git"
    assert only(found)["simulated"]["wait"]["max"] == 20.001


def test_several_logs_are_one(tmp_path: Path, busy: str) -> None:
    (tmp_path / "more").write_text(as_json(entry(-5, 4), entry(100, 1)))
    found = document("--log", str(tmp_path / "more"), "--log", busy, "--what-if", f"{FETCH}=1")

    assert found["log"]["calls"] == 7
    assert found["log"]["first_arrival"] == "2026-02-25T06:13:15.000Z"
    assert found["log"]["last_arrival"] == "2026-02-25T06:15:00.000Z"


def test_packs_wait_for_those_of_the_same_client() -> None:
    packs = [
        {**entry(0, 2, repository=f"{at}.git"), "pack_objects_cache.hit": "false", "remote_ip": "10.0.0.1"}
        for at in range(3)
    ]
    (limiter,) = document("--log", "-", "--what-if", "packObjects=1", stdin=as_json(*packs))["limiters"]

    assert (limiter["name"], limiter["simulated"]["wait"]["max"]) == ("packObjects", 4)
    assert [key["key"] for key in limiter["keys"]] == ["10.0.0.1"]


def test_malformed_lines_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = tmp_path / "log"
    broken = entry(0, 1)
    del broken["grpc.time_ms"]
    path.write_text("Traceback:\n\n" + as_json(entry(0, 1), broken) + '{"cut": "of\n[1]\n' * 3)
    status, stdout, stderr = plan("--log", str(path), "--what-if", f"{FETCH}=1")

    assert status == 0
    assert stdout.startswith("1 of 1 calls")
    heading, *named = stderr.splitlines()
    assert heading == "8 of 9 lines are malformed and left out:"
    assert [line.split(": ")[0] for line in named] == [f"{path}:{number}" for number in (1, 4, 5, 6, 7)]
    assert named[0] == f"{path}:1: neither JSON nor key=value"
    assert named[1] == f"{path}:4: grpc.time_ms is no number"


def fails(reason: str, *args: str, stdin: str | bytes = "") -> None:
    status, stdout, stderr = plan(*args, stdin=stdin)
    assert (status, stdout) == (2, "")
    assert reason in stderr


def test_a_log_without_calls_says_so(tmp_path: Path) -> None:
    change = ("--what-if", f"{FETCH}=1")
    spawned = as_json({"msg": "spawn", "level": "debug"}) + "oops\n"

    told = "no access log lines in - (2 lines, 1 of them malformed)\n-:2: neither JSON nor key=value\n"
    fails(told, "--log", "-", *change, stdin=spawned)
    fails("no access log lines in - (0 lines, 0 of them malformed)", "--log", "-", *change)


def test_input_that_is_of_no_use_has_a_status_of_its_own(tmp_path: Path, busy: str) -> None:
    change = ("--what-if", f"{FETCH}=1")
    missing = str(tmp_path / "missing")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(BUSY.encode() * 9)[:-20])
    (tmp_path / "bad.toml").write_text("x = ")

    fails('Required flag "log" not set', *change)
    fails('Required flag "config" or "what-if" not set', "--log", busy)
    fails(f"{missing}: no such file or directory", "--log", missing, *change)
    fails(f"{cut}: broken compression", "--log", str(cut), *change)
    fails("broken compression", "--log", "-", *change, stdin=gzip.compress(BUSY.encode())[:-20])
    fails("loading configuration", "--log", busy, "-c", str(tmp_path / "bad.toml"))
    fails('"Fetch": no such RPC', "--log", busy, "--what-if", "Fetch=1")
    fails("ends in .svg or .png", "--log", busy, *change, "--plot", "plot.pdf")


def test_what_is_doubtful_in_the_limits_of_a_configuration_is_said(busy: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[[concurrency]]\nrpc = "{FETCH}"\nmax_concurrency = -1\n')
    status, _, stderr = plan("--log", busy, "-c", str(config))

    assert status == 0
    assert re.fullmatch(rf"{config}: concurrency\..*max_concurrency: .*\n", stderr)


def test_a_plot_is_drawn(busy: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name, begin in (("plot.svg", b"<?xml"), ("plot.png", b"\x89PNG")):
        path = tmp_path / name
        assert plan("--log", busy, "--what-if", f"{FETCH}=1", "--plot", str(path)).status == 0
        assert path.read_bytes().startswith(begin)
    nowhere = str(tmp_path / "missing" / "plot.svg")
    status, _, stderr = plan("--log", busy, "--what-if", f"{FETCH}=1", "--plot", nowhere)
    assert (status, stderr) == (2, f"{nowhere}: no such file or directory\n")


def test_without_matplotlib_it_says_what_to_install(busy: str, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'matplotlib' else find(name, *rest)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{hidden}:{os.getcwd()}"}
    outcome = gitaly_py_process(
        "limits", "plan", "--log", busy, "--what-if", f"{FETCH}=1", "--plot", "plot.svg", env=environment
    )

    assert outcome == (2, "", "plots need matplotlib: pip install 'gitaly_py[plots]'\n")
