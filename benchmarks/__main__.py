"""`python -m benchmarks [--quick] [NAME …]`: runs the benchmarks and prints a line a figure.

Each module of this package that has a function `run(quick: bool) -> list[Row]` (a coroutine) is one. Named
first, one with a function `main` gets the rest of the command line: it has options of its own. Those with
DETAILED set look closely at what others measure too; a quick run of everything leaves them out.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys

import benchmarks


def main(arguments: list[str]) -> int:
    if arguments and not arguments[0].startswith("-"):
        suite = importlib.import_module(f"benchmarks.{arguments[0]}")
        if hasattr(suite, "run") and hasattr(suite, "main"):
            return int(suite.main(arguments[1:]))
    quick = "--quick" in arguments
    names = [argument for argument in arguments if not argument.startswith("-")]
    exceeded = 0
    for info in pkgutil.iter_modules(benchmarks.__path__):
        module = importlib.import_module(f"benchmarks.{info.name}")
        if not hasattr(module, "run") or (names and info.name not in names):
            continue
        if quick and not names and getattr(module, "DETAILED", False):
            continue
        for row in asyncio.run(module.run(quick)):
            print(row, flush=True)
            exceeded += row.limit is not None and row.ratio > row.limit
    print(f"{exceeded} figures above what is asked for" + (" (quick runs are noisy)" if quick else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
