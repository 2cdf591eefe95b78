"""`python -m benchmarks.packs.reference_server FILE [SOCKET]`: sends a file as fast as the kernel can.

For each byte that a client sends it gets the whole file, by os.sendfile and nothing around it. Listens at the
unix socket, or at a free TCP port of 127.0.0.1, which it prints.
"""

from __future__ import annotations

import os
import select
import socket
import sys

_MOST = 1 << 30


class _Client:
    """A connection. asked: how often the file is still to be sent, the current time included."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.asked = self.offset = 0


class Server:
    """Serves one file, in one thread."""

    def __init__(self, path: str, listener: socket.socket) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._file).st_size
        self._listener = listener
        self._clients: dict[int, _Client] = {}
        self._epoll = select.epoll()
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serves until the process is ended."""
        while True:
            for descriptor, _ in self._epoll.poll():
                client = self._clients.get(descriptor)
                if client is None:
                    self._accept()
                elif client.asked:
                    self._send(client)
                else:
                    self._receive(client)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if connection.family is socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[connection.fileno()] = _Client(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _receive(self, client: _Client) -> None:
        try:
            client.asked = len(client.socket.recv(1 << 16))
        except ConnectionResetError:
            client.asked = 0
        if client.asked:
            self._send(client)
        else:
            del self._clients[client.socket.fileno()]
            client.socket.close()

    def _send(self, client: _Client) -> None:
        try:
            while client.asked:
                left = min(self._size - client.offset, _MOST)
                client.offset += os.sendfile(client.socket.fileno(), self._file, client.offset, left)
                if client.offset == self._size:
                    client.offset = 0
                    client.asked -= 1
            wanted = select.EPOLLIN
        except BlockingIOError:
            wanted = select.EPOLLOUT
        except (BrokenPipeError, ConnectionResetError):
            client.asked = 0
            wanted = select.EPOLLIN
        self._epoll.modify(client.socket.fileno(), wanted)


def main(path: str, *sockets: str) -> None:
    if sockets:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sockets[0])
        listener.listen(1024)
        print(f"unix:{sockets[0]}", flush=True)
    else:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        print(f"tcp://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    Server(path, listener).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
