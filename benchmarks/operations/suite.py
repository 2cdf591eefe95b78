"""All figures of operation, one module after another."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.operations import resting, workers
from benchmarks.operations.settings import Settings

FIGURES = {
    "workers": workers.figures,
    "resting": resting.figures,
}
