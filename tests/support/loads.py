"""Loads of a control group."""

from __future__ import annotations

from gitaly_py.limits.load import Averages, Pressure


def stalls(avg60: float, *, avg10: float | None = None) -> Pressure:
    """Some processes stall for `avg60` percent of the time, and have done so for long."""
    return Pressure(Averages(avg60 if avg10 is None else avg10, avg60, avg60))
