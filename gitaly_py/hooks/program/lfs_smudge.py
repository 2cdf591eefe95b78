"""An LFS filter as git starts it: hands git's pipes to the daemon and is gone.

From then on the daemon itself speaks git's filter protocol, and no byte of an object passes through here.
The one argument is the path of a datagram socket; a datagram of any content brings standard input and output.
"""

import _socket
import posix
import sys


def run(path: str) -> None:
    """Gives the daemon both pipes. Raises OSError when it no longer waits for them."""
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    daemon.connect(path)
    pipes = b"".join([fd.to_bytes(4, sys.byteorder) for fd in (0, 1)])
    daemon.sendmsg([b"\0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, pipes)])


if __name__ == "__main__":
    try:
        run(sys.argv[1])
        status = 0
    except (OSError, IndexError):
        status = 1
    # Not sys.exit: tearing the interpreter down takes a tenth of its whole life.
    posix._exit(status)  # noqa: SLF001 (os._exit by its first name)
