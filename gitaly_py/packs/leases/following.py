"""Reads a pack that another worker makes, as if it were made here."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from gitaly_py.packs.errors import PackLost
from gitaly_py.packs.leases.client import Foreign, is_complete
from gitaly_py.packs.shared import SharedFlow

_LOOK_SECONDS: Final = 0.002
_LONGEST_LOOK: Final = 0.02
"""How often a file is looked at: more rarely, the longer nothing has come."""


async def follow(flow: SharedFlow, foreign: Foreign, fd: int) -> None:
    """Gives the readers of `flow` what another worker writes to the file, until that is whole.

    Raises PackLost when it never will be.
    """
    pause = _LOOK_SECONDS
    while True:
        # What was said of it before the look is true of what is found.
        complete, gone = is_complete(foreign), foreign.gone
        size = foreign.size if complete else os.fstat(fd).st_size
        if size > flow.written:
            flow.grow_to(size)
            pause = _LOOK_SECONDS
        if complete:
            return
        if gone:
            raise PackLost
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_LOOK)
