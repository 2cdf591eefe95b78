"""The status page as HTML. Whatever is on it may come from a client, so everything is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Final

from gitaly_py.daemon.status.cards import Card, cards, uptime
from gitaly_py.daemon.status.cells import Cell, Column, Table
from gitaly_py.daemon.status.figures import figures
from gitaly_py.daemon.status.formatting import duration
from gitaly_py.daemon.status.snapshot import Snapshot
from gitaly_py.daemon.status.tables import tables


def _part(name: str) -> str:
    return (files("gitaly_py.daemon.status") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


_SCRIPT: Final = _part("status.js")
_STYLE: Final = _part("status.css")

POLICY: Final = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own script and style, its own JSON, and nothing else."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Gitaly status</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1>Gitaly status</h1>
<p>gitaly_py {version} · git {git_version} · up for <span id="uptime">{uptime}</span>
· <time id="taken" datetime="{iso}">{clock}</time></p>
<p id="state" role="status"></p>
</header>
<noscript><p class="notice">Rates and latencies are those since the start.</p></noscript>
<main>
<ul class="cards">
{cards}
</ul>
{tables}
</main>
<script>{script}</script>
</body>
</html>
"""

_CARD: Final = """<li id="card-{name}" data-tone="{tone}"><h2>{title}</h2><p class="value">{value}</p>
<p class="note">{note}</p>{drawing}</li>"""

_DRAWING: Final = (
    """<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><polyline/></svg>"""
)

_TABLE: Final = """<section id="{name}" aria-labelledby="{name}-caption">
<table{hidden}>
<caption id="{name}-caption">{caption}{period}</caption>
<thead><tr>{head}</tr></thead>
<tbody>{body}</tbody>
</table>
<p class="empty"{shown}>{caption}: {empty}</p>
</section>"""

_PERIOD: Final = """ <span class="period">since the start</span>"""


def page(snapshot: Snapshot) -> str:
    """The whole page."""
    found = figures(snapshot.families)
    taken = datetime.fromtimestamp(snapshot.taken, UTC)
    return _PAGE.format(
        style=_STYLE,
        script=_SCRIPT,
        version=escape(snapshot.version),
        git_version=escape(snapshot.git_version),
        uptime=duration(uptime(snapshot)),
        iso=taken.isoformat(timespec="seconds"),
        clock=taken.strftime("%H:%M:%S UTC"),
        cards="\n".join(map(_card, cards(snapshot, found))),
        tables="\n".join(map(_table, tables(snapshot, found))),
    )


def _card(card: Card) -> str:
    return _CARD.format(
        name=escape(card.name),
        tone=escape(card.tone),
        title=escape(card.title),
        value=escape(card.value),
        note=escape(card.note),
        drawing=_DRAWING if card.name == "rate" else "",
    )


def _table(table: Table) -> str:
    head = "".join(map(_head, table.columns))
    return _TABLE.format(
        name=escape(table.name),
        caption=escape(table.caption),
        period=_PERIOD if table.period else "",
        head=head,
        body="\n".join(_row(table.columns, row) for row in table.rows),
        empty=escape(table.empty),
        hidden="" if table.rows else " hidden",
        shown=" hidden" if table.rows else "",
    )


def _head(column: Column) -> str:
    name, title = escape(column.name), escape(column.title)
    return f'<th scope="col" class="{_classes(column)}" data-name="{name}">{title}</th>'


def _row(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    first, *rest = map(_cell, columns, row)
    return f'<tr><th scope="row"{first}</th>' + "".join(f"<td{cell}</td>" for cell in rest) + "</tr>"


def _cell(column: Column, cell: Cell) -> str:
    """A cell from its attributes on, without the tags around it."""
    attributes = f' class="{_classes(column)}"'
    if cell.tone:
        attributes += f' data-tone="{escape(cell.tone)}"'
    if cell.hint:
        attributes += f' title="{escape(cell.hint)}"'
    text = escape(cell.text)
    if cell.share is not None:
        text = f'<meter value="{cell.share:.4f}">{text}</meter>'
    return f"{attributes}>{text}"


def _classes(column: Column) -> str:
    return escape(f"{column.kind} extra" if column.extra else column.kind)
