"""The daemon's life: supervisor, worker and coordinator; start-up as named steps."""

from __future__ import annotations

import os

from gitaly_py.config import Config


def run(config: Config, path: str) -> int:
    """Serves until a signal ends it; the exit status (0 clean, 1 after any error).

    config: valid for start-up (`config.check_startup`). path: where it came from, to be read again.
    """
    # gRPC's fork handlers cost milliseconds in every child start; no process of ours forks without exec.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    from gitaly_py.daemon.supervisor import supervise  # noqa: PLC0415 - in its time, after the line above

    return supervise(config, path)
