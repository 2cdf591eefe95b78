"""What git upload-pack starts in place of pack-objects: shows the daemon what is wanted, and obeys.

It is run by `python -I -S` and imports only what is built in and `_socket`: each fetch whose answer is not
known yet waits for it.

To the daemon, in fields as in `hook.py`: the token of the fetch, the command joined by NUL, standard input in
any number of fields, an empty one. From the daemon: one byte, then a field. RUN: run the command with git,
whose path is the field, as if nobody had been asked. REFUSE: the field is for the user, and the fetch fails.
Mostly the daemon answers nothing, ends upload-pack and this program with it, and serves the pack itself.
"""

import _socket
import posix
import sys

SOCKET_VARIABLE = "GITALY_PACKS_SOCKET"
TOKEN_VARIABLE = "GITALY_PACKS_TOKEN"
RUN, REFUSE = b"r", b"x"
FAILURE = b"error executing git hook\n"
LENGTH_SIZE = 4

_CHUNK = 128 * 1024


def run(arguments: list[str]) -> None:
    """Becomes git, or returns when the fetch has failed. Raises OSError when the daemon is gone."""
    environment = posix.environ
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    daemon.connect(environment[SOCKET_VARIABLE.encode()])
    command = "\0".join(arguments).encode(sys.getfilesystemencoding(), "surrogateescape")
    daemon.sendall(_field(environment[TOKEN_VARIABLE.encode()]) + _field(command))
    stdin = b""
    while data := posix.read(0, _CHUNK):
        stdin += data
        daemon.sendall(_field(data))
    daemon.sendall(_field(b""))
    verdict = _receive(daemon, 1)
    text = _receive(daemon, int.from_bytes(_receive(daemon, LENGTH_SIZE), "big"))
    if verdict == RUN:
        _give(stdin)
        posix.execve(text, [text, *command.split(b"\0")[1:]], environment)
    posix.write(2, text)


def _give(stdin: bytes) -> None:
    """Puts what was read back in front of whatever reads standard input next."""
    file = posix.memfd_create("stdin")
    while stdin:
        stdin = stdin[posix.write(file, stdin) :]
    posix.lseek(file, 0, 0)
    posix.dup2(file, 0)


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(LENGTH_SIZE, "big") + data


def _receive(daemon: _socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = daemon.recv(size - len(data))
        if not chunk:
            raise ConnectionError("the daemon closed the connection")
        data += chunk
    return data


if __name__ == "__main__":
    try:
        run(sys.argv[1:])
    except (OSError, KeyError):
        posix.write(2, FAILURE)
    # Not sys.exit: tearing the interpreter down takes a tenth of its whole life.
    posix._exit(1)  # noqa: SLF001 (os._exit by its first name)
