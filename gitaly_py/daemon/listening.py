"""Binds the listeners that the configuration names (daemon.md 2.1)."""

from __future__ import annotations

import ssl

import structlog

from gitaly_py.config import Config
from gitaly_py.transport.listeners import Listener, listen_tcp, listen_unix, server_tls

_log = structlog.get_logger("gitaly")


def bind(config: Config) -> list[Listener]:
    """The external listeners, bound. Raises OSError or ssl.SSLError when one is not to be had."""
    listeners: list[Listener] = []
    if config.socket_path:
        listeners.append(listen_unix(config.socket_path))
    if config.listen_addr:
        listeners.append(listen_tcp(config.listen_addr))
    if config.tls_listen_addr:
        listeners.append(listen_tcp(config.tls_listen_addr, tls=_tls(config)))
    for listener in listeners:
        announce(listener)
    return listeners


def announce(listener: Listener) -> None:
    """Logs where the daemon listens."""
    _log.info("listening at address", address=listener.address, schema=listener.kind)


def _tls(config: Config) -> ssl.SSLContext:
    section = config.tls
    return server_tls(
        section.certificate_path,
        section.key or section.key_path,
        minimum=section.min_version.removeprefix("TLS "),
    )
