from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import Config, InvalidConfig, check_startup, parse
from gitaly_py.config.gitlab import GitlabShell
from gitaly_py.config.storages import Storage
from tests.support.certificates import self_signed
from tests.support.configuration import configured


def test_a_valid_configuration_starts(tmp_path: Path) -> None:
    check_startup(configured(tmp_path))


@pytest.mark.parametrize("listener", ["listen_addr", "tls_listen_addr"])
def test_any_listener_is_enough(tmp_path: Path, listener: str) -> None:
    certificate, key = self_signed("localhost")
    (tmp_path / "tls.pem").write_bytes(certificate + key)
    tls = f'tls = {{certificate_path = "{tmp_path}/tls.pem", key_path = "{tmp_path}/tls.pem"}}'

    check_startup(configured(tmp_path, f'{listener} = "localhost:1"\n{tls}', drop=("socket_path",)))


def test_storages_may_share_a_path(tmp_path: Path) -> None:
    path = tmp_path / "storage"
    more = f'[[storage]]\nname = "a"\npath = "{path}"\n[[storage]]\nname = "b"\npath = "{path}"'

    check_startup(configured(tmp_path, more, drop=("storage",)))


def test_a_secret_file_need_not_exist(tmp_path: Path) -> None:
    check_startup(configured(tmp_path, 'gitlab.secret_file = "/absent"', drop=("gitlab.secret_file",)))


@pytest.mark.parametrize(
    ("drop", "more", "message"),
    [
        pytest.param(
            ("socket_path",),
            "",
            "at least one of socket_path, listen_addr or tls_listen_addr must be set",
            id="no listener",
        ),
        pytest.param(("storage",), "", "storage: not set", id="no storage"),
        pytest.param(
            ("storage",),
            'storage = [{path = "{folder}"}]',
            "storage[0].name: not set",
            id="storage without name",
        ),
        pytest.param(
            ("storage",),
            'storage = [{name = "a", path = "/absent"}]',
            'storage[0].path: doesn\'t exist: "/absent"',
            id="storage without folder",
        ),
        pytest.param(
            (),
            'git.config = [{key = "a.b"}, {key = "a=b"}]',
            'invalid configuration key "a=b": key "a=b" cannot contain "="',
            id="git key",
        ),
        pytest.param(("bin_dir",), "", "bin_dir: is not set", id="no bin_dir"),
        pytest.param(
            ("bin_dir",),
            'bin_dir = "/absent"',
            'bin_dir: path doesn\'t exist: "/absent"',
            id="bin_dir absent",
        ),
        pytest.param(
            ("bin_dir",),
            'bin_dir = "{folder}/secret"',
            'bin_dir: not a directory: "{folder}/secret"',
            id="bin_dir a file",
        ),
        pytest.param(
            (),
            'runtime_dir = "/absent"',
            'runtime_dir: path doesn\'t exist: "/absent"',
            id="runtime_dir absent",
        ),
        pytest.param(
            (),
            "daily_maintenance.start_hour = 24",
            "daily maintenance specified hour '24' outside range (0-23)",
            id="hour",
        ),
        pytest.param(
            (),
            "daily_maintenance.start_minute = 61",
            "daily maintenance specified minute '61' outside range (0-59)",
            id="minute",
        ),
        pytest.param(
            (),
            'daily_maintenance.duration = "24h0m1s"',
            "daily maintenance specified duration 24h0m1s must be less than 24 hours",
            id="duration",
        ),
        pytest.param(
            (),
            'daily_maintenance.storages = ["default", "x"]',
            'daily maintenance specified storage "x" does not exist in configuration',
            id="storage of maintenance",
        ),
        pytest.param(
            (),
            "cgroups = {memory_bytes = 1, repositories = {memory_bytes = 2}}",
            "cgroups.repositories: memory limit cannot exceed parent",
            id="memory",
        ),
        pytest.param(
            (),
            "cgroups = {cpu_shares = 1, repositories = {cpu_shares = 2}}",
            "cgroups.repositories: cpu shares cannot exceed parent",
            id="cpu shares",
        ),
        pytest.param(
            (),
            "cgroups = {cpu_quota_us = 1, repositories = {cpu_quota_us = 2}}",
            "cgroups.repositories: cpu quota cannot exceed parent",
            id="cpu quota",
        ),
        pytest.param((), "cgroups = {repositories = {memory_bytes = 2}}", "", id="no parent limit"),
        pytest.param(
            (),
            'pack_objects_cache = {enabled = true, max_age = "-1s"}',
            "pack_objects_cache.max_age cannot be negative",
            id="cache age",
        ),
        pytest.param(
            (),
            'pack_objects_cache = {enabled = true, dir = "cache"}',
            "pack_objects_cache: storage directory must be absolute path",
            id="cache folder relative",
        ),
        pytest.param(
            (),
            'pack_objects_cache = {enabled = true, dir = "{folder}/stor"}',
            "pack_objects_cache: the specified cache directory "
            "cannot be the same or a parent of the storage path",
            id="cache above storage",
        ),
        pytest.param((), 'pack_objects_cache = {max_age = "-1s"}', "", id="cache disabled"),
        pytest.param(
            (), "daily_maintenance = {disabled = true, start_hour = 99}", "", id="maintenance disabled"
        ),
        pytest.param((), 'listen_addr = "nowhere"', 'listen_addr: not host:port: "nowhere"', id="address"),
        pytest.param(
            (),
            'prometheus_listen_addr = "localhost:65536"',
            'prometheus_listen_addr: not host:port: "localhost:65536"',
            id="address of the metrics",
        ),
        pytest.param(
            (), 'tls_listen_addr = "localhost:1"', "tls.certificate_path: not set", id="no certificate"
        ),
        pytest.param(
            (),
            'tls_listen_addr = ":1"\ntls = {certificate_path = "/none", key_path = "/none"}',
            'tls.certificate_path: doesn\'t exist: "/none"',
            id="certificate absent",
        ),
        pytest.param(
            (),
            'tls = {certificate_path = "/none", key_path = "/none"}',
            "",
            id="certificate that no listener needs",
        ),
        pytest.param((), 'logging.format = "xml"', 'invalid logger format "xml"', id="log format"),
        pytest.param((), 'logging = {format = "", level = "loud"}', "", id="log level"),
        pytest.param((), "workers.count = -1", "workers.count cannot be negative", id="workers"),
        pytest.param(
            (),
            'rpc.engine = "other"',
            'rpc.engine: not supported: "other", choose native or grpcio',
            id="engine",
        ),
        pytest.param(
            (),
            "rpc.stream_window = 1",
            "rpc.stream_window: not in range: 1 out of [65535, 2147483647]",
            id="window",
        ),
    ],
)
def test_start_up_stops_at(tmp_path: Path, drop: tuple[str, ...], more: str, message: str) -> None:
    config = configured(tmp_path, more.replace("{folder}", str(tmp_path)), drop=drop)

    if not message:
        check_startup(config)
        return
    with pytest.raises(InvalidConfig) as fault:
        check_startup(config)
    assert str(fault.value) == "invalid config: " + message.replace("{folder}", str(tmp_path))


def test_start_up_refuses_two_tokens(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    config = configured(tmp_path, f'auth = {{token = "x", token_file = "{tmp_path}/token"}}')

    with pytest.raises(InvalidConfig, match="token and token_file are mutually exclusive"):
        check_startup(config)


def test_start_up_names_the_first_fault_only() -> None:
    config = parse(b'storage = [{name = "a", path = "/absent"}]\nrpc.engine = "x"')

    with pytest.raises(InvalidConfig, match="at least one of socket_path"):
        check_startup(config)


STORAGES = (Storage(name="a", path="/"),)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            Config(socket_path="s", storage=STORAGES), "GitLab secret not configured", id="no secret"
        ),
        pytest.param(
            Config(socket_path="s", storage=STORAGES, gitlab_shell=GitlabShell(dir="/none")),
            'gitlab-shell.dir: path doesn\'t exist: "/none"',
            id="no gitlab-shell",
        ),
    ],
)
def test_start_up_looks_for_the_secret(config: Config, message: str) -> None:
    with pytest.raises(InvalidConfig) as fault:
        check_startup(config)

    assert fault.value.message == message
