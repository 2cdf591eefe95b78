"""The file of the smart HTTP gateway, a program with a configuration of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import NonNegativeInt, PrivateAttr

from gitaly_py.config.duration import Duration, zero_means
from gitaly_py.config.errors import InvalidConfig
from gitaly_py.config.loading import checked, decoded, read, toml
from gitaly_py.config.problems import (
    Problem,
    at,
    at_least,
    dotted,
    entry,
    listen_address,
    not_empty,
    quoted,
    under,
)
from gitaly_py.config.section import Section, setting, several, table
from gitaly_py.config.tree import UnknownKey
from gitaly_py.config.unknown import unknown_keys

_GITALY_SCHEMES = ("unix:", "tcp://", "tls://", "dns:", "dns+tls:")


class Token(Section):
    """`[[token]]`: someone who may fetch or push, by bearer token or as password of basic authentication."""

    name: str = setting("", "Name for logs and, with basic authentication, the user's name; unique.")
    token: str = setting("", "The secret.", secret=True)
    read: bool = setting(True, "May fetch from every repository.")
    write: bool = setting(False, "May push to every repository.")


class Limits(Section):
    """`[limits]`: what a single request may cost."""

    max_body_bytes: NonNegativeInt = setting(5 * 1024**3, "Longest request body in bytes; 0 is no limit.")
    header_timeout: Annotated[Duration, zero_means("30s")] = setting(
        Duration.parse("30s"), "Time in which the headers of a request must arrive; 0 is the default."
    )
    idle_timeout: Annotated[Duration, zero_means("2m")] = setting(
        Duration.parse("2m"), "Longest time without a byte from or to the client; 0 is the default."
    )
    request_timeout: Duration = setting(Duration(0), "Longest time for a whole request; 0 is no limit.")


class GatewayConfig(Section):
    """The configuration of the gateway; made by `load_gateway`."""

    listen_addr: str = setting(
        "127.0.0.1:8080", "TCP address to listen at, `host:port`; port 0 is a free one."
    )
    gitaly_address: str = setting(
        "", "Required: the daemon's address: `unix:`, `tcp://`, `tls://` or `dns:`."
    )
    gitaly_token: str = setting("", "Secret of the daemon, its `auth.token`.", secret=True)
    storage: str = setting("default", "Storage of the daemon in which the repositories lie.")
    anonymous_read: bool = setting(False, "Everyone may fetch, without a token.")
    create_on_push: bool = setting(False, "A push to a repository that does not exist makes it.")
    token: tuple[Token, ...] = several("Who may fetch or push.")
    limits: Limits = table(Limits, "What a single request may cost.")

    _unknown_keys: tuple[UnknownKey, ...] = PrivateAttr(())

    @property
    def unknown_keys(self) -> tuple[UnknownKey, ...]:
        """Keys of the file that mean nothing, in its order."""
        return self._unknown_keys

    @property
    def host(self) -> str:
        """Host of `listen_addr` without brackets; empty for every address of the machine."""
        return self.listen_addr.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen_addr.rpartition(":")[2])

    def with_unknown_keys(self, keys: tuple[UnknownKey, ...]) -> GatewayConfig:
        """This configuration, with the keys of its file that mean nothing."""
        config = self.model_copy()
        config._unknown_keys = keys  # noqa: SLF001 - its own class
        return config


def load_gateway(path: str) -> GatewayConfig:
    """The configuration in the file `path`; raises LoadError, or InvalidConfig for the first fault."""
    return parse_gateway(read(path))


def parse_gateway(data: bytes) -> GatewayConfig:
    """The gateway's configuration that `data`, a TOML text, describes; raises as `load_gateway` does."""
    text = decoded(data)
    source = toml(text)
    config = checked(source, GatewayConfig, text)
    for problem in _problems(config):
        raise InvalidConfig(f"{dotted(problem.key)}: {problem.message}")
    return config.with_unknown_keys(tuple(unknown_keys(source, GatewayConfig)))


def _problems(config: GatewayConfig) -> Iterator[Problem]:
    yield from at("listen_addr", listen_address(config.listen_addr))
    yield from at("gitaly_address", not_empty(config.gitaly_address) or _address_fault(config.gitaly_address))
    yield from at("storage", not_empty(config.storage))
    for index, token in enumerate(config.token):
        yield from under(("token", entry(index)), _token(token, config.token[:index]))
    yield from at(("limits", "header_timeout"), at_least(config.limits.header_timeout, Duration(0)))
    yield from at(("limits", "idle_timeout"), at_least(config.limits.idle_timeout, Duration(0)))
    yield from at(("limits", "request_timeout"), at_least(config.limits.request_timeout, Duration(0)))


def _token(token: Token, earlier: tuple[Token, ...]) -> Iterator[Problem]:
    yield from at("name", not_empty(token.name))
    if ":" in token.name:
        yield Problem(("name",), f"cannot contain a colon: {quoted(token.name)}")
    if any(other.name == token.name for other in earlier):
        yield Problem(("name",), f"not unique: {quoted(token.name)}")
    yield from at("token", not_empty(token.token))
    if any(other.token == token.token for other in earlier):
        yield Problem(("token",), "not unique")


def _address_fault(address: str) -> str | None:
    return None if address.startswith(_GITALY_SCHEMES) else f"not supported: {quoted(address)}"
