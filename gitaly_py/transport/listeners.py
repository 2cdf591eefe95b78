"""Listening sockets and TLS contexts (daemon.md 2.1)."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from gitaly_py.transport.connections import Kind
from gitaly_py.transport.errors import AddressError

BACKLOG: Final = 4096  # connections that wait for accept; the kernel caps it at net.core.somaxconn

_TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_PEM_START: Final = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket. address: as it is logged. tls: the context, exactly when kind is `tls`."""

    socket: socket.socket
    kind: Kind
    address: str
    tls: ssl.SSLContext | None = None


def listen_unix(path: str, *, backlog: int = BACKLOG) -> Listener:
    """Listens on a unix socket; a file left over at `path` is removed first. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    return Listener(_bound(sock, path, backlog), "unix", path)


def listen_tcp(address: str, *, tls: ssl.SSLContext | None = None, backlog: int = BACKLOG) -> Listener:
    """Listens on `host:port` (`[v6]:port`; no host means all addresses) with SO_REUSEPORT.

    Raises AddressError, OSError.
    """
    host, port = split_host_port(address)
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    if host and not host.replace(".", "").isdigit() and ":" not in host:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(host)))
    return _tcp_listener(_bound(sock, (host or "::", port), backlog), tls)


def adopt(fd: int, *, tls: ssl.SSLContext | None = None) -> Listener:
    """Takes over an inherited listening socket. Raises OSError."""
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    if sock.family == socket.AF_UNIX:
        return Listener(sock, "unix", sock.getsockname())
    return _tcp_listener(sock, tls)


def server_tls(certificate: str, key: str, *, minimum: str = "1.2") -> ssl.SSLContext:
    """The context of a TLS listener; `certificate` and `key` are each a path or PEM text.

    ALPN `h2` is offered and not required; client certificates are not asked for (transport.md 1.2).
    minimum: `1.2` or `1.3`. Raises OSError, ssl.SSLError, KeyError for another version.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _TLS_VERSIONS[minimum]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["h2"])
    with contextlib.ExitStack() as files:
        context.load_cert_chain(_as_path(certificate, files), _as_path(key, files))
    return context


def client_tls(authorities: str | None = None) -> ssl.SSLContext:
    """The context of outgoing TLS connections: the system's authorities, SSL_CERT_FILE and SSL_CERT_DIR.

    authorities: PEM text of further ones.
    """
    context = ssl.create_default_context(cadata=None)
    if authorities is not None:
        context.load_verify_locations(cadata=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def split_host_port(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` in its parts. Raises AddressError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise AddressError(address)
    return host.removeprefix("[").removesuffix("]"), int(port)


def joined_host_port(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """A socket's address as `host:port` or `[v6]:port`; an IPv4 address mapped into IPv6 is shown as IPv4."""
    host = name[0].removeprefix("::ffff:") if "." in name[0] else name[0]
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"


def _bound(sock: socket.socket, name: str | tuple[str, int], backlog: int) -> socket.socket:
    try:
        sock.setblocking(False)
        sock.bind(name)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _tcp_listener(sock: socket.socket, tls: ssl.SSLContext | None) -> Listener:
    address = joined_host_port(sock.getsockname())
    return Listener(sock, "tcp" if tls is None else "tls", address, tls)


def _as_path(path_or_pem: str, files: contextlib.ExitStack) -> str:
    """The ssl module reads certificates and keys from files only, so text becomes a file in memory."""
    if _PEM_START not in path_or_pem:
        return path_or_pem
    fd = os.memfd_create("pem")
    files.callback(os.close, fd)
    os.write(fd, path_or_pem.encode())
    return f"/proc/self/fd/{fd}"
