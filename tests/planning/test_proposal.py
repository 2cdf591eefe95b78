"""Which limiter a call meets, and what is changed about it (daemon.md 5.1 to 5.3)."""

from __future__ import annotations

import pytest

from gitaly_py.config import parse
from gitaly_py.planning.errors import PlanningError
from gitaly_py.planning.proposal import Adaptive, Proposal, proposal, what_if
from gitaly_py.planning.requests import Request, request
from tests.support.access_log import FETCH, entry

NAME = f"perRPC{FETCH}"
SECTION = f"""
[[concurrency]]
rpc = "{FETCH}"
max_concurrency = 9
[[concurrency]]
rpc = "{FETCH}"
max_concurrency = 3
max_queue_size = 7
max_queue_wait = "2s"
"""
NAMELESS = """
[concurrency.unauthenticated]
max_concurrency = 1
"""
ADAPTIVE = f"""
[[concurrency]]
rpc = "{FETCH}"
adaptive = true
min_limit = 2
initial_limit = 5
max_limit = 20
"""


def proposed(toml: str, *changes: str, adaptive: Adaptive = "initial") -> Proposal:
    return proposal(parse(toml.encode()), [what_if(change) for change in changes], adaptive)


def bounds(found: Proposal, name: str = NAME) -> tuple[int, int, float]:
    limit = found.limits[name]
    return limit.limit, limit.max_queue_size, limit.max_queue_wait.seconds


def call(*, named: bool = True, **more: str) -> Request:
    fields = {**entry(0, 1), **more}
    if not named:
        del fields["username"]
    found = request(fields)
    assert found is not None
    return found


def test_without_configuration_the_built_in_limits_are_there() -> None:
    found = proposed("")

    assert bounds(found, "packObjects") == (200, 200, 0)
    assert bounds(found, "perRPC/gitaly.RepositoryService/ReplicateRepository")[0] == 1


def test_the_last_of_several_sections_counts() -> None:
    assert bounds(proposed(SECTION)) == (3, 7, 2)


def test_a_change_replaces_what_it_names_only() -> None:
    assert bounds(proposed(SECTION, f"{FETCH}=10")) == (10, 7, 2)
    assert bounds(proposed(SECTION, f"{FETCH}=10,20")) == (10, 20, 2)
    assert bounds(proposed(SECTION, f"{FETCH}=10,20,1m30s")) == (10, 20, 90)
    assert bounds(proposed(SECTION, f"{FETCH}=0"))[0] == 0
    assert bounds(proposed("", "packObjects=4,5,1s"), "packObjects") == (4, 5, 1)


def test_a_new_limit_has_the_queue_of_a_section_that_says_nothing_of_it() -> None:
    assert bounds(proposed("", "PostUploadPackWithSidechannel=10")) == (10, 500, 0)


def test_a_change_of_an_adaptive_limit_makes_it_stand_still() -> None:
    found = proposed(ADAPTIVE, f"{FETCH}=10")

    assert (bounds(found)[0], found.adaptive) == (10, [])


@pytest.mark.parametrize(("choice", "limit"), [("initial", 5), ("min", 2), ("max", 20)])
def test_adaptive_limits_stand_where_they_are_told_to(choice: Adaptive, limit: int) -> None:
    found = proposed(ADAPTIVE, adaptive=choice)

    assert (bounds(found)[0], found.adaptive, found.choice) == (limit, [NAME], choice)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FETCH, "not RPC="),
        (f"{FETCH}=1,2,3s,4", "not RPC="),
        (f"{FETCH}=many", '"many" is no number of calls'),
        (f"{FETCH}=-1", '"-1" is no number of calls'),
        (f"{FETCH}=1,", '"" is no number of calls'),
        (f"{FETCH}=1,2,soon", "invalid duration"),
        (f"{FETCH}=1,2,-3s", "less than no time"),
        ("Fetch=1", "no such RPC"),
        ("=1", "no such RPC"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PlanningError, match=reason):
        what_if(text)


def test_callers_without_a_name_have_a_limit_of_their_own_where_there_is_one() -> None:
    own = proposed(SECTION + NAMELESS)

    assert own.gates(call(), in_scope=False) == [(NAME, "a.git")]
    assert own.gates(call(named=False), in_scope=False) == [(NAME + "-unauthenticated", "a.git")]
    assert proposed(SECTION).gates(call(named=False), in_scope=False) == [(NAME, "a.git")]


def test_a_pack_has_a_limiter_after_that_of_its_rpc() -> None:
    made = {"pack_objects_cache.hit": "false", "remote_ip": "10.0.0.1"}
    packs = ("packObjects", "10.0.0.1")

    assert proposed(SECTION).gates(call(**made), in_scope=False) == [(NAME, "a.git"), packs]
    assert proposed("").gates(call(**made), in_scope=False) == [packs]


def test_what_has_no_limit_is_watched_only_if_it_is_in_scope() -> None:
    assert proposed("").gates(call(), in_scope=False) == []
    assert proposed("").gates(call(), in_scope=True) == [(NAME, "a.git")]
    without_repository = call(**{"grpc.request.repoPath": ""})
    assert proposed(SECTION).gates(without_repository, in_scope=True) == []
