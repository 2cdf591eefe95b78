"""How long a daemon takes from its start to its first answer."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks.harness import Row
from benchmarks.rpc.connection import Connection, ended
from benchmarks.rpc.engines import ENGINES, prepared, start
from benchmarks.rpc.metadata import Metadata, block_maker
from benchmarks.rpc.unary import CHECK


def rows(root: Path, quick: bool) -> list[Row]:
    """The figures of starts, which take turns."""
    root.mkdir()
    times: list[list[float]] = [[] for _ in ENGINES]
    for number in range(1 if quick else 5):
        for place, engine in enumerate(ENGINES):
            times[place].append(_first_answer(root / f"{number}-{place}", engine))
    return [Row("start of a daemon to its first answer", median(times[0]), median(times[1]), "s")]


def _first_answer(root: Path, engine: str) -> float:
    daemon = prepared(root, engine)
    since = time.perf_counter()
    try:
        start(daemon)
        with closing(Connection(str(daemon.socket))) as connection:
            connection.settle()
            make_block = block_maker(CHECK, Metadata.NONE, connection.table_size)
            connection.send(connection.requests(1, make_block, b"")[0])
            while not ended(connection.receive()):
                pass
        return time.perf_counter() - since
    finally:
        daemon.stop()
