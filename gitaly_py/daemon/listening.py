"""Binds the listeners that the configuration names (daemon.md 2.1)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

import structlog

from gitaly_py.config import Config
from gitaly_py.transport.listeners import Listener, listen_tcp, listen_unix, server_tls

_log = structlog.get_logger("gitaly")


def bind(config: Config) -> list[Listener]:
    """The external listeners, bound. Raises OSError or ssl.SSLError when one is not to be had."""
    listeners: list[Listener] = []
    if config.socket_path:
        listeners.append(_listening(config.socket_path, listen_unix))
    if config.listen_addr:
        listeners.append(_listening(config.listen_addr, listen_tcp))
    if config.tls_listen_addr:
        listeners.append(_listening(config.tls_listen_addr, partial(listen_tcp, tls=_tls(config))))
    for listener in listeners:
        announce(listener)
    return listeners


def announce(listener: Listener) -> None:
    """Logs where the daemon listens."""
    _log.info("listening at address", address=listener.address, schema=listener.kind)


def _listening(address: str, listen: Callable[[str], Listener]) -> Listener:
    """Binds; an error names the address, which the operating system's own does not."""
    try:
        return listen(address)
    except OSError as error:
        raise OSError(error.errno, error.strerror, address) from error


def _tls(config: Config) -> ssl.SSLContext:
    section = config.tls
    return server_tls(
        section.certificate_path,
        section.key or section.key_path,
        minimum=section.min_version.removeprefix("TLS "),
    )
