"""The metrics of a daemon in a process of its own."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.request
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Metrics:
    """What one scrape found. types: by the name of the family; declared: by the name in the text."""

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        self.declared = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        self._values: dict[Sample, float] = {}
        for family in text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for sample in family.samples:
                self._values[sample.name, frozenset(sample.labels.items())] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """The sample with exactly these labels."""
        return self._values.get((name, frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels among theirs."""
        wanted = set(labels.items())
        return sum(
            value for (found, having), value in self._values.items() if found == name and wanted <= having
        )

    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self._values}

    def label_values(self) -> set[str]:
        """Every value of every label."""
        return {value for _, having in self._values for _, value in having}

    def label_names(self, name: str) -> set[frozenset[str]]:
        """The sets of label names that the samples of a name have."""
        return {frozenset(key for key, _ in having) for found, having in self._values if found == name}


async def scrape(port: int) -> Metrics:
    """Asks for the metrics once."""

    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            text: str = answer.read().decode()
            return text

    return Metrics(await asyncio.to_thread(get))


async def metrics_when(port: int, condition: Callable[[Metrics], Any]) -> Metrics:
    """Asks until the condition holds; calls are counted just after they have ended."""
    async with asyncio.timeout(30):
        while not condition(found := await scrape(port)):
            await asyncio.sleep(0.02)
    return found
