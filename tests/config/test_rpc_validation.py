from __future__ import annotations

import pytest

from gitaly_py.config import parse
from gitaly_py.config.rpc_validation import rpc

KEYS_ABOVE_ZERO = (
    "max_continuation_frames",
    "max_resets_per_second",
    "max_settings_per_second",
    "max_empty_frames_per_second",
)
LARGEST = 2**31 - 1


def faults(keys: str) -> list[tuple[str, str]]:
    """Key and message of everything that is wrong with `[rpc]` of `keys`."""
    return [(".".join(key), message) for key, message in rpc(parse(f"[rpc]\n{keys}".encode()).rpc)]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("", id="nothing set"),
        pytest.param('engine = "native"', id="native"),
        pytest.param('engine = "grpcio"', id="grpcio"),
        pytest.param(
            "max_concurrent_streams = 0\nmax_ping_strikes = 0\nkeepalive_min_interval = 0\nstall_timeout = 0",
            id="no limit",
        ),
        pytest.param(
            f"stream_window = {LARGEST}\nconnection_window = {LARGEST}\nmax_connection_memory = {LARGEST}\n"
            f"max_message_size = {LARGEST}\nmax_header_list_size = {LARGEST}\nmax_frame_size = 16777215",
            id="largest",
        ),
        pytest.param(
            "stream_window = 65535\nconnection_window = 65535\nmax_message_size = 1\n"
            "max_connection_memory = 65535\nmax_header_list_size = 1\nmax_frame_size = 16384",
            id="smallest",
        ),
    ],
)
def test_a_sound_section_has_no_problem(keys: str) -> None:
    assert faults(keys) == []


def test_an_engine_that_is_not_there_is_a_problem_that_names_those_that_are() -> None:
    assert faults('engine = "hyper"') == [("engine", 'not supported: "hyper", choose native or grpcio')]


@pytest.mark.parametrize(
    ("key", "value", "range_"),
    [
        ("max_message_size", 0, "[1, 2147483647]"),
        ("max_header_list_size", LARGEST + 1, "[1, 2147483647]"),
        ("max_frame_size", 16383, "[16384, 16777215]"),
        ("max_frame_size", 16777216, "[16384, 16777215]"),
        ("stream_window", 65534, "[65535, 2147483647]"),
        ("connection_window", 65534, "[65535, 2147483647]"),
    ],
)
def test_sizes_are_what_the_protocol_allows(key: str, value: int, range_: str) -> None:
    assert faults(f"{key} = {value}") == [(key, f"not in range: {value} out of {range_}")]


@pytest.mark.parametrize(
    ("keys", "least"),
    [
        pytest.param("connection_window = 5000000", 5000000, id="a full window"),
        pytest.param("connection_window = 65535", 4194304, id="a message"),
    ],
)
def test_a_connection_has_memory_for_what_it_may_receive(keys: str, least: int) -> None:
    assert faults(f"{keys}\nmax_connection_memory = {least}") == []
    assert faults(f"{keys}\nmax_connection_memory = {least - 1}") == [
        ("max_connection_memory", f"not in range: {least - 1} is not greater than or equal to {least}")
    ]


@pytest.mark.parametrize("key", KEYS_ABOVE_ZERO)
def test_what_every_client_needs_some_of_is_not_forbidden(key: str) -> None:
    assert faults(f"{key} = 0") == [(key, "not in range: 0 is not greater than 0")]


@pytest.mark.parametrize("key", ["max_concurrent_streams", "max_ping_strikes"])
def test_limits_that_may_be_off_are_not_negative(key: str) -> None:
    assert faults(f"{key} = -1") == [(key, "not in range: -1 is not greater than or equal to 0")]


@pytest.mark.parametrize("key", ["preface_timeout", "keepalive_time", "keepalive_timeout"])
def test_clients_get_time(key: str) -> None:
    assert faults(f'{key} = "0s"') == [(key, "not in range: 0s is not greater than 0s")]


@pytest.mark.parametrize("key", ["keepalive_min_interval", "stall_timeout"])
def test_times_that_may_be_off_are_not_negative(key: str) -> None:
    assert faults(f'{key} = "-1s"') == [(key, "not in range: -1s is not greater than or equal to 0s")]
