"""A hook as git starts it: hands everything to the daemon and gives back what the daemon says.

git starts it once or twice for every push, so it is run by `python -I -S` and imports only what is built in
and `_socket`: the interpreter is up in milliseconds, the rest of the standard library would cost more than
a small push.

To the daemon: a field is its length (4 bytes, big endian) and that many bytes. Four fields: the hook's name,
its arguments and its environment, both joined by NUL, and then standard input in any number of fields,
ended by an empty one. From the daemon: one byte of STDOUT, STDERR or EXIT, then a field; EXIT's is one byte.
"""

import _socket
import posix
import sys

SOCKET_VARIABLE = "GITALY_HOOKS_SOCKET"
STDOUT, STDERR, EXIT = 1, 2, 0
FAILURE = b"error executing git hook\n"
LENGTH_SIZE = 4

_CHUNK = 128 * 1024


def field(data: bytes) -> bytes:
    """`data` behind its length."""
    return len(data).to_bytes(LENGTH_SIZE, "big") + data


def run(name: str, arguments: list[str]) -> int:
    """Has the daemon run a hook; its exit status. Raises OSError when the daemon is gone."""
    if name == "reference-transaction" and arguments == ["preparing"]:
        return 0
    environment = posix.environ
    daemon = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    daemon.connect(environment[SOCKET_VARIABLE.encode()])
    encoding = sys.getfilesystemencoding()
    words = b"\0".join([word.encode(encoding, "surrogateescape") for word in arguments])
    variables = b"\0".join([key + b"=" + value for key, value in environment.items()])
    daemon.sendall(field(name.encode()) + field(words) + field(variables))
    # proc-receive keeps its end open until it is answered, so there is no end to wait for.
    while name != "proc-receive" and (data := posix.read(0, _CHUNK)):
        daemon.sendall(field(data))
    daemon.sendall(field(b""))
    return _pass_on(daemon)


def _pass_on(daemon: _socket.socket) -> int:
    while True:
        kind = _receive(daemon, 1)[0]
        data = _receive(daemon, int.from_bytes(_receive(daemon, LENGTH_SIZE), "big"))
        if kind == EXIT:
            return data[0]
        while data:
            data = data[posix.write(kind, data) :]


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
        status = run(sys.argv[0].rpartition("/")[2], sys.argv[1:])
    except (OSError, KeyError):
        posix.write(2, FAILURE)
        status = 1
    # Not sys.exit: tearing the interpreter down takes a tenth of its whole life.
    posix._exit(status)  # noqa: SLF001 (os._exit by its first name)
