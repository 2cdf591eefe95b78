from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import ConfigUnreadable, InvalidConfig, TomlError
from gitaly_py.config.gateway import GatewayConfig, load_gateway, parse_gateway

LEAST = 'gitaly_address = "unix:/run/gitaly.socket"\n'


def gateway(more: str = "") -> GatewayConfig:
    return parse_gateway((LEAST + more).encode())


def test_an_address_of_the_daemon_is_enough() -> None:
    config = gateway()

    assert (config.host, config.port, config.storage) == ("127.0.0.1", 8080, "default")
    assert not config.anonymous_read
    assert not config.create_on_push
    assert config.token == ()
    assert str(config.limits.header_timeout) == "30s"


def test_all_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        LEAST
        + """
listen_addr = "[::1]:80"
gitaly_token = "hush"
storage = "other"
anonymous_read = true
create_on_push = true
colour = "red"
[[token]]
name = "ci"
token = "hush too"
write = true
[limits]
max_body_bytes = 10
idle_timeout = "1s"
request_timeout = "1h"
"""
    )

    config = load_gateway(str(tmp_path / "gateway.toml"))

    assert (config.host, config.port) == ("::1", 80)
    assert [(token.name, token.read, token.write) for token in config.token] == [("ci", True, True)]
    assert (config.limits.max_body_bytes, config.limits.request_timeout.seconds) == (10, 3600)
    assert [unknown.key for unknown in config.unknown_keys] == ["colour"]
    assert "hush" not in repr(config)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "gitaly_address: not set"),
        ('gitaly_address = "http://x"', 'gitaly_address: not supported: "http://x"'),
        (LEAST + 'listen_addr = "8080"', 'listen_addr: not host:port: "8080"'),
        (LEAST + 'listen_addr = "x:65536"', 'listen_addr: not host:port: "x:65536"'),
        (LEAST + 'listen_addr = "::1:80"', 'listen_addr: not host:port: "::1:80"'),
        (LEAST + 'storage = ""', "storage: not set"),
        (LEAST + '[[token]]\ntoken = "x"', "token[0].name: not set"),
        (LEAST + '[[token]]\nname = "a:b"\ntoken = "x"', 'token[0].name: cannot contain a colon: "a:b"'),
        (LEAST + '[[token]]\nname = "a"', "token[0].token: not set"),
        (
            LEAST + '[[token]]\nname = "a"\ntoken = "x"\n[[token]]\nname = "a"\ntoken = "y"',
            'token[1].name: not unique: "a"',
        ),
        (
            LEAST + '[[token]]\nname = "a"\ntoken = "x"\n[[token]]\nname = "b"\ntoken = "x"',
            "token[1].token: not unique",
        ),
        (
            LEAST + 'limits.idle_timeout = "-1s"',
            "limits.idle_timeout: not in range: -1s is not greater than or equal to 0s",
        ),
    ],
)
def test_the_first_fault_is_told(toml: str, message: str) -> None:
    with pytest.raises(InvalidConfig) as fault:
        parse_gateway(toml.encode())

    assert str(fault.value) == f"invalid config: {message}"


def test_a_wrong_type_is_told_with_its_place() -> None:
    with pytest.raises(TomlError, match="line 2 column 25: toml: value should be greater than or equal to 0"):
        gateway("limits.max_body_bytes = -1")


def test_a_file_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigUnreadable, match="open /none: no such file or directory"):
        load_gateway("/none")
