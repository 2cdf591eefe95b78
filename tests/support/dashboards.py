"""The Grafana dashboards of `deploy/grafana`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.prometheus import DEPLOY

FILES = sorted((DEPLOY / "grafana").glob("*.json"))
_VARIABLES = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    "$instance": ".+",
    "$job": "gitaly",
}


def panels(file: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard without its row headings."""
    return [panel for panel in json.loads(file.read_text())["panels"] if panel["type"] != "row"]


def queries(file: Path) -> list[str]:
    """The queries of its panels."""
    return [target["expr"] for panel in panels(file) for target in panel["targets"]]


def substituted(query: str) -> str:
    """As Grafana asks it for all instances."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    return query
