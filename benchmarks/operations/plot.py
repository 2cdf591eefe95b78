"""The overload, drawn: work done and light calls' times over what is offered, with limits and without."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.operations.overload import Curve

NAME = "operations-overload"

_COLOURS = ("#1f6feb", "#cf222e")
_QUIET = "#8c959f"


def draw(folder: Path, curves: Sequence[Curve]) -> list[Path]:
    """Writes the plot as PNG and SVG; the files, none where matplotlib is not installed."""
    if not importlib.util.find_spec("matplotlib"):
        return []
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "operations"  # so that the same figures make the same file
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]

    folder.mkdir(parents=True, exist_ok=True)
    figure, (work, times, heavy) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for curve, colour in zip(curves, _COLOURS, strict=False):
        offered = [point.offered for point in curve.points]
        style: dict[str, Any] = {"color": colour, "marker": "o", "label": curve.name}
        work.plot(offered, [point.goodput for point in curve.points], **style)
        times.plot(offered, [point.p99 * 1e3 for point in curve.points], **style)
        times.axhline(curve.idle * 1e3, color=colour, linewidth=0.8, linestyle=":")
        heavy.plot(offered, [point.heavy for point in curve.points], **style)
    marks = sorted({point.offered for curve in curves for point in curve.points})
    _name(work, marks, "work of successful calls, cores")
    _name(times, marks, "p99 of light calls, ms (dotted: idle)")
    _name(heavy, marks, "heavy calls that succeed, a second")
    work.plot(marks, [min(mark, 1.0) for mark in marks], color=_QUIET, linewidth=0.8, label="ideal")
    times.set_yscale("log")
    work.legend()
    files = [folder / f"{NAME}.png", folder / f"{NAME}.svg"]
    figure.savefig(files[0], dpi=120)
    figure.savefig(files[1], metadata={"Date": None})
    plt.close(figure)
    return files


def _name(axes: Any, marks: Sequence[float], title: str) -> None:
    axes.set_xscale("log")
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("offered, times what one core can do")
    axes.set_title(title, fontsize=10)
    if not title.startswith("p99"):
        axes.set_ylim(bottom=0)
