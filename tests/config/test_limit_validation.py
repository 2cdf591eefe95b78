from __future__ import annotations

import pytest

from gitaly_py.config import parse
from gitaly_py.config.limit_validation import adaptive_limiting, concurrency, pack_objects_limiting

Problems = list[tuple[str, str]]

LIMITS = [
    pytest.param("max_concurrency = 0", [], id="off"),
    pytest.param(
        'max_concurrency = -1\nmax_per_repo = -2\nmax_queue_size = -3\nmax_queue_wait = "-1m"',
        [
            ("max_concurrency", "not in range: -1 is not greater than or equal to 0"),
            ("max_per_repo", "not in range: -2 is not greater than or equal to 0"),
            ("max_queue_size", "not in range: -3 is not greater than 0"),
            ("max_queue_wait", "not in range: -1m0s is not greater than or equal to 0s"),
        ],
        id="below zero",
    ),
    pytest.param("adaptive = true\nmin_limit = 1\ninitial_limit = 2\nmax_limit = 3", [], id="adaptive"),
    pytest.param(
        "adaptive = true\nmin_limit = 0\ninitial_limit = -2\nmax_limit = -3",
        [
            ("min_limit", "not in range: 0 is not greater than 0"),
            ("max_limit", "not in range: -3 is not greater than or equal to -2"),
            ("initial_limit", "not in range: -2 is not greater than or equal to 0"),
        ],
        id="adaptive out of order",
    ),
    pytest.param("adaptive = false\nmin_limit = -1", [], id="not adaptive"),
    pytest.param(
        "unauthenticated = {max_concurrency = 1}",
        [("unauthenticated.max_queue_size", "not in range: 0 is not greater than 0")],
        id="unauthenticated without queue",
    ),
]


@pytest.mark.parametrize(("keys", "problems"), LIMITS)
def test_the_limit_of_an_rpc_is_checked(keys: str, problems: Problems) -> None:
    config = parse(f"[[concurrency]]\n[[concurrency]]\n{keys}".encode())

    assert [(".".join(key), message) for key, message in concurrency(config.concurrency)] == [
        (f"[1].{key}", message) for key, message in problems
    ]


@pytest.mark.parametrize(("keys", "problems"), LIMITS)
def test_the_limit_of_pack_generation_is_checked(keys: str, problems: Problems) -> None:
    config = parse(f"[pack_objects_limiting]\n{keys}".encode())

    found = pack_objects_limiting(config.pack_objects_limiting)
    assert [(".".join(key), message) for key, message in found] == problems


def test_thresholds_of_load_are_not_negative() -> None:
    config = parse(b"adaptive_limiting = {cpu_throttled_threshold = -0.5, memory_threshold = -1}")

    assert list(adaptive_limiting(config.adaptive_limiting)) == [
        (("cpu_throttled_threshold",), "not in range: -0.5 is not greater than or equal to 0"),
        (("memory_threshold",), "not in range: -1 is not greater than or equal to 0"),
    ]
