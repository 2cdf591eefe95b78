"""`python -m benchmarks.packs.daemon serve CONFIG`: the daemon below a process that takes in orphans.

A child whose parent has ended before it goes to this process and not to the machine's first one. So what it
cost stays in this tree, and nothing that the daemon has started escapes the count.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)


def main(arguments: list[str]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if not child:
        libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
        os.execv(sys.executable, [sys.executable, "-m", "gitaly_py", *arguments])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: os.kill(child, received))
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
