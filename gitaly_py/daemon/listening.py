"""The daemon's listening sockets: bound by the supervisor, shared by all workers (daemon.md 2.1).

Sockets whose address a new configuration keeps stay as they are, so that no connection is refused. With
socket activation the first ones come from the service manager (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from gitaly_py.config import Config
from gitaly_py.transport.connections import Kind
from gitaly_py.transport.listeners import Listener, adopt, listen_tcp, listen_unix, server_tls

_log = structlog.get_logger("gitaly")

_FIRST_PASSED: Final = 3
"""The first descriptor that a service manager passes."""


class CertificateError(OSError):
    """The certificate of the TLS listener can't be used."""


class Address(NamedTuple):
    """Where to listen: a path or `host:port`."""

    kind: Kind
    address: str


def addresses(config: Config) -> list[Address]:
    """What the configuration asks for."""
    asked: tuple[tuple[Kind, str], ...] = (
        ("unix", config.socket_path),
        ("tcp", config.listen_addr),
        ("tls", config.tls_listen_addr),
    )
    return [Address(kind, address) for kind, address in asked if address]


def tls_context(config: Config) -> ssl.SSLContext:
    """The certificate as it is now. Raises CertificateError."""
    section = config.tls
    try:
        return server_tls(
            section.certificate_path,
            section.key or section.key_path,
            minimum=section.min_version.removeprefix("TLS "),
        )
    except OSError as error:
        raise CertificateError(f"tls certificate: {error}") from error


class Sockets:
    """The external listeners by address. activated: those that a service manager has opened for us."""

    def __init__(self, activated: Sequence[socket.socket] = ()) -> None:
        self._open: dict[Address, socket.socket] = {}
        self._activated = list(activated)
        self._ours: set[str] = set()

    def bind(self, config: Config) -> Mapping[Address, socket.socket]:
        """All that a configuration asks for; those of a former one stay open. Raises OSError."""
        asked = addresses(config)
        new = [address for address in asked if address not in self._open]
        bound: dict[Address, socket.socket] = {}
        try:
            for address in new:
                bound[address] = self._bound(address)
        except OSError:
            for sock in bound.values():
                sock.close()
            raise
        self._open.update(bound)
        return {address: self._open[address] for address in asked}

    def keep(self, config: Config) -> None:
        """Closes what a configuration does not ask for."""
        asked = addresses(config)
        for address in [address for address in self._open if address not in asked]:
            self._close(address)
        for sock in self._activated:
            _log.warning("socket of the service manager is not in the configuration", address=_name(sock))
            sock.close()
        self._activated.clear()

    def close(self) -> None:
        """Closes everything, and removes unix sockets that are ours."""
        for address in list(self._open):
            self._close(address)

    def _bound(self, address: Address) -> socket.socket:
        for sock in self._activated:
            if _is_at(sock, address):
                self._activated.remove(sock)
                _announce(address.kind, address.address)
                return sock
        try:
            listener = listen_unix(address.address) if address.kind == "unix" else listen_tcp(address.address)
        except OSError as error:
            # The operating system's own error does not say which address it is.
            raise OSError(error.errno, error.strerror, address.address) from error
        if address.kind == "unix":
            self._ours.add(address.address)
        _announce(address.kind, listener.address)
        return listener.socket

    def _close(self, address: Address) -> None:
        self._open.pop(address).close()
        if address.address in self._ours:
            self._ours.discard(address.address)
            with suppress(FileNotFoundError):
                os.unlink(address.address)


def activated() -> list[socket.socket]:
    """The sockets that a service manager has passed to this process, and to nobody after it."""
    count = os.environ.pop("LISTEN_FDS", "0")
    pid = os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    passed = range(_FIRST_PASSED, _FIRST_PASSED + int(count))
    return [_adopted(fd) for fd in passed]


def inherited(
    descriptors: Sequence[int], secure: Sequence[bool], config: Config
) -> tuple[list[Listener], Listener]:
    """A worker's listeners, external and internal. secure: which of the external ones speak TLS.

    Raises OSError, CertificateError.
    """
    *external, internal = descriptors
    context = tls_context(config) if any(secure) else None
    found = [adopt(fd, tls=context if is_tls else None) for fd, is_tls in zip(external, secure, strict=True)]
    return found, adopt(internal)


def _adopted(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    os.set_inheritable(fd, False)
    return sock


def _name(sock: socket.socket) -> str:
    name = sock.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"


def _is_at(sock: socket.socket, address: Address) -> bool:
    if address.kind == "unix":
        return sock.family == socket.AF_UNIX and sock.getsockname() == address.address
    return sock.family != socket.AF_UNIX and _name(sock) in _possible(address.address)


def _possible(address: str) -> Iterator[str]:
    """What a socket bound to `host:port` may call itself."""
    host, _, port = address.rpartition(":")
    names = {host.strip("[]")} if host else {"0.0.0.0", "::"}
    if host:
        with suppress(OSError):
            names |= {str(found[4][0]) for found in socket.getaddrinfo(host.strip("[]"), int(port))}
    for name in names:
        yield f"{name}:{port}"


def _announce(kind: Kind, address: str) -> None:
    _log.info("listening at address", address=address, schema=kind)
