from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.cgroups import files
from gitaly_py.limits.load import Averages, Pressure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("text", "value"), [("12\n", 12), ("max\n", None), ("9223372036854771712", 2**63 - 4096)]
)
def test_a_number_or_none(path: Path, text: str, value: int | None) -> None:
    path.write_text(text)

    assert files.number(str(path)) == value


def test_counters_are_read_by_name(path: Path) -> None:
    path.write_text("anon 1\nfile 22\n")

    assert files.counters(str(path)) == {"anon": 1, "file": 22}


def test_pressure_is_read_by_kind_and_window(path: Path) -> None:
    path.write_text(
        "some avg10=1.50 avg60=2.00 avg300=3.25 total=99\nfull avg10=0.00 avg60=0.10 avg300=0.20 total=9\n"
    )

    assert files.pressure(str(path)) == Pressure(Averages(1.5, 2, 3.25), Averages(0, 0.1, 0.2))


def test_pressure_may_lack_full(path: Path) -> None:
    path.write_text("some avg10=1.50 avg60=2.00 avg300=3.25 total=99\n")

    assert files.pressure(str(path)) == Pressure(Averages(1.5, 2, 3.25))


def test_what_is_missing_is_unknown(path: Path) -> None:
    assert files.number(str(path)) is None
    assert files.counters(str(path)) == {}
    assert files.words(str(path)) == set()
    assert files.pressure(str(path)) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a lot", files.number),
        ("anon", files.counters),
        ("anon many", files.counters),
        ("some avg10=1.00", files.pressure),
        ("some avg10=x avg60=1 avg300=1", files.pressure),
        ("some nothing", files.pressure),
    ],
)
def test_a_file_of_another_form_is_refused(path: Path, text: str, read: object) -> None:
    path.write_text(text)

    with pytest.raises(ValueError, match=r"."):
        read(str(path))  # type: ignore[operator]


def test_what_cannot_be_read_is_not_taken_for_unknown(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        files.number(str(tmp_path))


def test_a_refused_write_names_the_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{path}/x"):
        files.write(f"{path}/x", "1")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        files.write("/dev/full", "1")
