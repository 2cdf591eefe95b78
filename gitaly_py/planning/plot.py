"""A plan as a picture."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Final

from gitaly_py.config.errors import os_reason
from gitaly_py.limits.simulation.series import Series
from gitaly_py.planning.errors import PlanningError
from gitaly_py.planning.facts import utc
from gitaly_py.planning.plan import Comparison, Plan

FORMATS: Final = (".svg", ".png")
_MOST: Final = 8
_INCHES: Final = (15, 2.8)
_COLUMNS: Final = ("in flight", "waiting", "refused")
_SIDES: Final = (("recorded", "0.6"), ("simulated", "tab:blue"))


def check(path: str) -> None:
    """Raises PlanningError when nothing could be drawn into the file `path`, before there is work in it."""
    if Path(path).suffix not in FORMATS:
        raise PlanningError(f"{path}: a plot is written to a file that ends in {' or '.join(FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise PlanningError("plots need matplotlib: pip install 'gitaly_py[plots]'")


def draw(plan: Plan, path: str) -> None:
    """Draws what was in flight, waiting and refused over time, a row a limiter. Raises PlanningError.

    Limiters with nothing more to be seen than others are left out when there are many.
    """
    shown = plan.limiters[:_MOST]
    figures: Any = importlib.import_module("matplotlib.figure")
    width, height = _INCHES
    figure = figures.Figure(figsize=(width, height * max(len(shown), 1)), layout="constrained")
    figure.suptitle(f"seconds since {utc(plan, 0.0)}", fontsize="medium")
    if shown:
        rows = figure.subplots(len(shown), len(_COLUMNS), squeeze=False)
        for axes, limiter in zip(rows, shown, strict=True):
            _draw_row(axes, limiter)
    try:
        figure.savefig(path)
    except OSError as error:
        raise PlanningError(f"{path}: {os_reason(error)}") from error


def _draw_row(axes: Any, limiter: Comparison) -> None:
    for axis, title in zip(axes, _COLUMNS, strict=True):
        axis.set_title(title, fontsize="small", loc="right")
    axes[0].set_title(limiter.name, fontsize="small", loc="left")
    for series, (label, colour) in zip(
        (limiter.recorded.series, limiter.simulated.series), _SIDES, strict=True
    ):
        edges = [index * series.width for index in range(len(series.running) + 1)]
        for axis, values in zip(axes, _values(series), strict=True):
            axis.stairs(values, edges, label=label, color=colour)
    for axis in axes:
        axis.set_ylim(0, max(axis.get_ylim()[1], 1))
    axes[0].legend(fontsize="small")


def _values(series: Series) -> tuple[list[int], list[int], list[int]]:
    return series.running, series.waiting, series.refused
