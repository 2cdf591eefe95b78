"""Numbers as people read them."""

from __future__ import annotations

import pytest

from gitaly_py.daemon.status import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.00 ms"), (0.00042, "0.42 ms"), (0.0123, "12.3 ms"), (0.42, "420 ms")]  # noqa: RUF001
    + [(1.239, "1.24 s"), (14.83, "14.8 s"), (1500.0, "1,500 s")],
)
def test_short_times(value: float | None, text: str) -> None:
    assert formatting.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (59, "59 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (93_784, "1 d 2 h")],
)
def test_long_times(value: float, text: str) -> None:
    assert formatting.duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (7.42, "7.4"), (99.94, "99.9"), (1234.5, "1,234")]
)
def test_rates(value: float, text: str) -> None:
    assert formatting.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**40, "1.0 TiB"), (2**61, "2048.0 PiB")],  # noqa: RUF001
)
def test_sizes(value: float | None, text: str) -> None:
    assert formatting.size(value) == text


@pytest.mark.parametrize(("share", "text"), [(None, "–"), (0, "0.0 %"), (0.0003, "0.03 %"), (1, "100.0 %")])  # noqa: RUF001
def test_shares(share: float | None, text: str) -> None:
    assert formatting.percent(share) == text
