"""`python -m benchmarks.rpc.daemon serve CONFIG`: a daemon whose workers are those of `worker.py`."""

from __future__ import annotations

from gitaly_py.cli import main
from gitaly_py.daemon.workers import process

if __name__ == "__main__":
    process.MODULE[0] = "benchmarks.rpc.worker"
    main(prog_name="gitaly-py")
