"""Whether the daemon serves, and who wants to know when that changes."""

from __future__ import annotations

import asyncio


class ServingState:
    """True from start until the daemon begins to stop."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    @property
    def serving(self) -> bool:
        return not self._stopped.is_set()

    def stop(self) -> None:
        """The daemon takes no new calls from here on."""
        self._stopped.set()

    async def stopped(self) -> None:
        """Waits until the daemon begins to stop."""
        await self._stopped.wait()
