"""The daemon's life: supervisor, worker and coordinator; start-up as named steps."""

from __future__ import annotations

import gc
import os

from gitaly_py.config import Config


def run(config: Config, path: str) -> int:
    """Serves until a signal ends it; the exit status (0 clean, 1 after any error).

    config: valid for start-up (`config.check_startup`). path: where it came from, to be read again.
    """
    # gRPC's fork handlers cost milliseconds in every start of a child, and what runs gRPC does not fork.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    # Modules make many objects and no garbage.
    gc.disable()
    from gitaly_py.daemon.supervisor import supervise  # noqa: PLC0415 - in its time, after the lines above

    gc.freeze()
    gc.enable()
    return supervise(config, path)
