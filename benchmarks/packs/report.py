"""Results as a table and as plots."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Row
from tests.support.repositories import GIT

_OURS, _BARE, _LIMIT = "#1f6feb", "#8c959f", "#cf222e"


@dataclass(frozen=True)
class Curve:
    """How the cost of a byte changes. points: CPU a GB of the daemon and of the bare server, at each mark."""

    name: str
    label: str
    marks: Sequence[float]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Section:
    """What one module found. title: what it is about."""

    title: str
    rows: Sequence[Row]
    curves: Sequence[Curve]


def write(folder: Path, sections: Sequence[Section], *, quick: bool) -> None:
    """Writes `packs.md`, and plots where matplotlib is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = _plots(folder, sections) if importlib.util.find_spec("matplotlib") else []
    text = "\n".join(_lines(sections, plots, quick=quick)) + "\n"
    (folder / "packs.md").write_text(text)
    print(f"written to {folder}" + ("" if plots else ", without plots: they need matplotlib"))


def _lines(sections: Sequence[Section], plots: Sequence[str], *, quick: bool) -> Iterator[str]:
    yield "# The pack path, measured"
    yield ""
    yield (
        "Made by `python -m benchmarks packs`; README.md tells what is measured and how. Every reference was"
        " measured in the same run. Lower is better, everywhere."
    )
    yield ""
    yield f"{_machine()}." + (" A quick run: sizes are small and noise is large." if quick else "")
    for section in sections:
        yield from ("", f"## {section.title}", "")
        yield "| figure | measured | reference | ratio | asked for |"
        yield "|---|---:|---:|---:|---|"
        yield from map(_table_row, section.rows)
    for plot in plots:
        yield from ("", f"![{plot}]({plot}.svg)")


def _table_row(row: Row) -> str:
    wanted = ""
    if row.limit is not None:
        wanted = f"≤ {row.limit:.3g}: " + ("met" if row.ratio <= row.limit else "**missed**")
    unit = f" {row.unit}" if row.unit else ""
    name = row.name.strip()
    return f"| {name} | {row.measured:.3f}{unit} | {row.reference:.3f}{unit} | {row.ratio:.2f} | {wanted} |"


def _machine() -> str:
    cores, git = len(os.sched_getaffinity(0)), os.popen(f"{GIT} version").read().strip()
    return f"{cores} cores, Linux {platform.release()}, {git}, Python {platform.python_version()}"


def _plots(folder: Path, sections: Sequence[Section]) -> list[str]:
    """Draws all plots; their names."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "packs"  # so that the same figures make the same file
    from matplotlib import pyplot as plt

    figures: dict[str, Any] = {"packs-ratios": _ratios(plt, sections)}
    for section in sections:
        for curve in section.curves:
            figures[f"packs-{curve.name}"] = _curve(plt, curve)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
    return list(figures)


def _ratios(plt: Any, sections: Sequence[Section]) -> Any:
    """A bar for each ratio that something is asked of, with a mark where the limit is."""
    asked = [row for section in sections for row in section.rows if row.limit]
    figure, axes = plt.subplots(figsize=(11, 0.36 * len(asked) + 1.6), layout="constrained")
    places = range(len(asked))
    axes.barh(places, [row.ratio for row in asked], color=_OURS, height=0.55, label="measured")
    axes.scatter([row.limit for row in asked], places, color=_LIMIT, marker="|", s=260, label="asked for")
    axes.set_yticks(places, [row.name for row in asked], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color=_BARE, linewidth=0.8)
    axes.set_xlabel("ratio to the reference; lower is better")
    axes.legend(loc="lower right")
    return figure


def _curve(plt: Any, curve: Curve) -> Any:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    ours, bare = zip(*curve.points, strict=True)
    axes.plot(curve.marks, ours, color=_OURS, marker="o", label="cached pack")
    axes.plot(curve.marks, bare, color=_BARE, marker="o", label="bare sendfile")
    axes.set_xscale("log")
    axes.set_xticks(curve.marks, [f"{mark:g}" for mark in curve.marks], minor=False)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(curve.label)
    axes.set_ylabel("server's CPU, seconds a GB")
    axes.legend()
    return figure
