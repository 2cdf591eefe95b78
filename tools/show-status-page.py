"""Makes `docs/status.png`: the status page of a made-up daemon, as Chromium shows it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.chromium import screenshot  # noqa: E402
from tests.support.status_page import busy, showing  # noqa: E402

_SECONDS = 120


async def make(path: Path, width: int, height: int) -> None:
    async with showing(busy()) as origin:
        await screenshot(f"{origin}/status", path, seconds=_SECONDS, width=width, height=height)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=ROOT / "docs" / "status.png")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1990)
    asyncio.run(make(**vars(parser.parse_args())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
