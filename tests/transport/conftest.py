from __future__ import annotations

import asyncio

import pytest
import uvloop


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest):
    """Runs a coroutine on either event loop; for tests that are not coroutines themselves."""

    def runner(coroutine):
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as event_loop:
            return event_loop.run(asyncio.wait_for(coroutine, 30))

    return runner
