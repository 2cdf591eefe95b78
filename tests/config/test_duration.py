from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gitaly_py.config.duration import FROM_JSON, Duration, zero_means

DURATION = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        pytest.param("0", 0, id="bare zero"),
        pytest.param("0s", 0, id="zero"),
        pytest.param("1h2m3s", 3723 * 10**9, id="three units"),
        pytest.param("300ms", 3 * 10**8, id="milliseconds"),
        pytest.param("1.5h", 5400 * 10**9, id="fraction"),
        pytest.param(".5s", 5 * 10**8, id="fraction alone"),
        pytest.param("1.s", 10**9, id="point without fraction"),
        pytest.param("2us3µs4μs5ns", 9005, id="micro in three spellings"),
        pytest.param("-1m", -60 * 10**9, id="negative"),
        pytest.param("+1m", 60 * 10**9, id="signed"),
        pytest.param("1s1h", 3601 * 10**9, id="any order"),
        pytest.param("0.0000000019s", 1, id="less than a nanosecond is dropped"),
    ],
)
def test_duration_parses_gos_syntax(text: str, nanoseconds: int) -> None:
    assert Duration.parse(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "-", "+", "5", "1x", ".s", "s", "bad value", "1h 2m", "--1s", "1d", "9223372036854775808ns", "٣s"],
)
def test_duration_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration") as refused:
        Duration.parse(text)

    assert str(refused.value) == f'time: invalid duration "{text}"'


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (1_500_000_000, "1.5s"),
        (60 * 10**9, "1m0s"),
        (-60 * 10**9, "-1m0s"),
        (86_401 * 10**9, "24h0m1s"),
        (3_600_000_000_001, "1h0m0.000000001s"),
    ],
)
def test_duration_is_shown_as_go_shows_it(nanoseconds: int, text: str) -> None:
    assert f"{Duration(nanoseconds)}" == text


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_duration_parses_what_it_shows(nanoseconds: int) -> None:
    assert Duration.parse(str(Duration(nanoseconds))) == nanoseconds


@given(st.text(alphabet="0123456789.hmsnuµ-+ ", max_size=12))
def test_duration_refuses_only_with_its_own_error(text: str) -> None:
    try:
        Duration.parse(text)
    except ValueError as error:
        assert str(error) == f'time: invalid duration "{text}"'  # noqa: PT017 - both ways out are fine


def test_duration_counts_a_bare_number_as_nanoseconds() -> None:
    assert DURATION.validate_python(1_500_000_000).seconds == 1.5


@pytest.mark.parametrize("value", [True, 1.5, ["1s"], None], ids=repr)
def test_duration_refuses_other_types(value: object) -> None:
    with pytest.raises(ValidationError, match="a duration should be a string or a number of nanoseconds"):
        DURATION.validate_python(value)


def test_duration_of_json_is_never_a_number() -> None:
    with pytest.raises(ValidationError, match="a duration should be a string"):
        DURATION.validate_python(0, context=FROM_JSON)


def test_zero_can_ask_for_the_default() -> None:
    timeout = TypeAdapter(Annotated[Duration, zero_means("5m")])

    assert str(timeout.validate_python(0)) == "5m0s"
    assert str(timeout.validate_python("-1ns")) == "-1ns"
