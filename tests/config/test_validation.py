from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import parse, validate
from tests.support.configuration import configured


def test_a_valid_configuration_has_no_problem(tmp_path: Path) -> None:
    assert validate(configured(tmp_path)) == []


@pytest.mark.parametrize(
    ("drop", "more", "problems"),
    [
        pytest.param(
            ("socket_path",),
            "",
            [((), 'none of "socket_path", "listen_addr" or "tls_listen_addr" is set')],
            id="no listener",
        ),
        pytest.param(("bin_dir",), "", [(("bin_dir",), 'doesn\'t exist: ""')], id="no bin_dir"),
        pytest.param(
            (),
            'runtime_dir = "{folder}/secret"',
            [(("runtime_dir",), 'not a dir: "{folder}/secret"')],
            id="runtime_dir a file",
        ),
        pytest.param(
            (),
            'git.config = [{key = ""}, {key = "ok.x"}, {key = "x"}]',
            [
                (("git", "config", "key"), "not set"),
                (("git", "config", "key"), 'key "x" must contain at least one section'),
            ],
            id="git keys",
        ),
        pytest.param(("storage",), "", [(("storage",), "not set")], id="no storage"),
        pytest.param(
            (),
            'prometheus = {scrape_timeout = "-1m", grpc_latency_buckets = [1, 0.5]}',
            [
                (("prometheus", "scrape_timeout"), "not in range: -1m0s is not greater than or equal to 0s"),
                (("prometheus", "grpc_latency_buckets"), "bad order: expected asc: [1 0.5]"),
            ],
            id="prometheus",
        ),
        pytest.param((), "prometheus.grpc_latency_buckets = []", [], id="no buckets"),
        pytest.param(
            (),
            'tls = {key_path = "a", key = "b"}',
            [(("tls", "key_path", "key"), "key_path and key cannot both be set")],
            id="two keys",
        ),
        pytest.param(
            (),
            'tls = {certificate_path = "/none/c", key_path = "/none/k"}',
            [
                (("tls", "certificate_path"), 'doesn\'t exist: "/none/c"'),
                (("tls", "key_path"), 'doesn\'t exist: "/none/k"'),
            ],
            id="tls files",
        ),
        pytest.param(
            ("gitlab.url", "gitlab.secret_file"),
            'gitlab = {url = " ", secret_file = "/none/s"}',
            [(("gitlab", "url"), "blank or empty"), (("gitlab", "secret_file"), 'doesn\'t exist: "/none/s"')],
            id="gitlab",
        ),
        pytest.param(
            (),
            'gitlab.secret = "x"',
            [(("gitlab", "secret", "secret_file"), "ambiguous secret configuration")],
            id="two secrets",
        ),
        pytest.param(
            (),
            'gitlab.http-settings = {user = "u", ca_file = "{folder}", ca_path = "{folder}/secret"}',
            [
                (("gitlab", "http-settings", "password"), "blank or empty"),
                (("gitlab", "http-settings", "ca_file"), 'not a file: "{folder}"'),
                (("gitlab", "http-settings", "ca_path"), 'not a dir: "{folder}/secret"'),
            ],
            id="http settings",
        ),
        pytest.param(
            (),
            'gitlab-shell.dir = "/none"',
            [(("gitlab-shell", "dir"), 'doesn\'t exist: "/none"')],
            id="gitlab-shell",
        ),
        pytest.param(
            (),
            'graceful_restart_timeout = "-1m"',
            [(("graceful_restart_timeout",), "not in range: -1m0s is not greater than or equal to 0s")],
            id="graceful restart",
        ),
        pytest.param(
            (),
            '[daily_maintenance]\nstart_hour = 24\nstart_minute = -1\nduration = "24h0m1s"\nstorages = ["x"]',
            [
                (("daily_maintenance", "start_hour"), "not in range: 24 out of [0, 23]"),
                (("daily_maintenance", "start_minute"), "not in range: -1 out of [0, 59]"),
                (("daily_maintenance", "duration"), "not in range: 24h0m1s out of [0s, 24h0m0s]"),
                (("daily_maintenance", "storages", "[0]"), 'doesn\'t exist: "x"'),
            ],
            id="maintenance",
        ),
        pytest.param(
            (),
            "cgroups.memory_bytes = 1\n"
            "cgroups.repositories = {count = 1, max_cgroups_per_repo = 2, memory_bytes = 2}",
            [
                (("cgroups", "repositories", "max_cgroups_per_repo"), "not in range: 2 out of [0, 1]"),
                (("cgroups", "repositories", "memory_bytes"), "not in range: 2 out of [0, 1]"),
            ],
            id="cgroups",
        ),
        pytest.param(
            (),
            'pack_objects_cache = {enabled = true, dir = "x", max_age = "-1ns"}',
            [
                (("pack_objects_cache", "dir"), 'not an absolute path: "x"'),
                (("pack_objects_cache", "max_age"), "not in range: -1ns is not greater than or equal to 0s"),
            ],
            id="pack cache",
        ),
        pytest.param(
            (),
            'backup.go_cloud_url = "%invalid%"',
            [(("backup", "go_cloud_url"), 'parse "%invalid%": invalid URL escape "%in"')],
            id="backup",
        ),
        pytest.param(
            (),
            "raft = {enabled = true, rtt_milliseconds = 0}",
            [
                (("raft", "enabled"), "transactions must be enabled to enable Raft"),
                (("raft", "cluster_id"), "not set"),
                (("raft", "rtt_milliseconds"), "not in range: 0 is not greater than 0"),
            ],
            id="raft",
        ),
        pytest.param(
            (),
            'transactions.enabled = true\nraft = {enabled = true, cluster_id = "x", snapshot_dir = "rel"}',
            [
                (("raft", "cluster_id"), 'invalid UUID: "x"'),
                (("raft", "snapshot_dir"), 'not an absolute path: "rel"'),
            ],
            id="raft cluster",
        ),
        pytest.param(
            (),
            'offloading = {enabled = true, cache_root = "/none", go_cloud_url = ":x"}',
            [
                (("offloading", "cache_root"), 'doesn\'t exist: "/none"'),
                (("offloading", "go_cloud_url"), 'parse ":x": missing protocol scheme'),
            ],
            id="offloading",
        ),
        pytest.param(
            (),
            'listen_addr = "host"\ntls_listen_addr = "h:0x1"\nprometheus_listen_addr = "::1:9236"',
            [
                (("listen_addr",), 'not host:port: "host"'),
                (("tls_listen_addr",), 'not host:port: "h:0x1"'),
                (("prometheus_listen_addr",), 'not host:port: "::1:9236"'),
                (("tls", "certificate_path"), "not set"),
            ],
            id="addresses",
        ),
        pytest.param(
            (), 'listen_addr = "[::1]:0"\nprometheus_listen_addr = ":9236"', [], id="good addresses"
        ),
        pytest.param(
            (),
            'logging = {format = "xml", level = "loud"}',
            [
                (("logging", "format"), 'not supported: "xml", choose text or json'),
                (
                    ("logging", "level"),
                    'not supported: "loud", choose trace or debug or info or warn or warning or error '
                    "or fatal or panic",
                ),
            ],
            id="logging",
        ),
        pytest.param(
            (),
            'workers.count = -1\nrpc.engine = "other"',
            [
                (("workers", "count"), "not in range: -1 is not greater than or equal to 0"),
                (("rpc", "engine"), 'not supported: "other", choose native or grpcio'),
            ],
            id="own sections",
        ),
    ],
)
def test_validation_finds(
    tmp_path: Path, drop: tuple[str, ...], more: str, problems: list[tuple[tuple[str, ...], str]]
) -> None:
    config = configured(tmp_path, more.replace("{folder}", str(tmp_path)), drop=drop)

    assert validate(config) == [
        (key, message.replace("{folder}", str(tmp_path))) for key, message in problems
    ]


@pytest.mark.parametrize(
    ("entries", "problems"),
    [
        pytest.param([("a", "one"), ("a", "two")], [("[1].name", 'not unique: "a"')], id="name"),
        pytest.param([("a", "one"), ("b", "one")], [("[1].path", 'not unique: "{folder}/one"')], id="path"),
        pytest.param([("a", "one"), ("a", "one")], [("[1].name", 'not unique: "a"')], id="both, told once"),
        pytest.param(
            [("a", "one"), ("b", "one/in")],
            [("[1].path", 'can\'t nest: "{folder}/one/in" and "{folder}/one"')],
            id="inside an earlier one",
        ),
        pytest.param(
            [("a", "one/in"), ("b", "one")],
            [("[1].path", 'can\'t nest: "{folder}/one" and "{folder}/one/in"')],
            id="around an earlier one",
        ),
        pytest.param([("a", "one"), ("b", "one2")], [], id="siblings"),
        pytest.param(
            [("", "one"), ("b", "absent")],
            [("[0].name", "not set"), ("[1].path", 'doesn\'t exist: "{folder}/absent"')],
            id="no name, no folder",
        ),
    ],
)
def test_validation_compares_storages(
    tmp_path: Path, entries: list[tuple[str, str]], problems: list[tuple[str, str]]
) -> None:
    for folder in ("one/in", "one2", "two"):
        (tmp_path / folder).mkdir(parents=True)
    more = "".join(f'[[storage]]\nname = "{name}"\npath = "{tmp_path}/{path}"\n' for name, path in entries)
    config = configured(tmp_path, more, drop=("storage",))

    assert validate(config) == [
        (("storage", *key.split(".")), message.replace("{folder}", str(tmp_path)))
        for key, message in problems
    ]


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o600, None),
        (0o400, None),
        (0o644, "file permission 0644 is too permissive, should be 0600 or 0400"),
        (0o700, "file permission 0700 is too permissive, should be 0600 or 0400"),
    ],
    ids=["owner", "read-only", "others", "executable"],
)
def test_validation_looks_at_the_mode_of_the_token_file(
    tmp_path: Path, mode: int, message: str | None
) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(mode)

    problems = validate(configured(tmp_path, f'auth.token_file = "{token}"'))

    assert problems == ([(("auth", "token_file"), message)] if message else [])


def test_validation_refuses_two_tokens(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    config = configured(tmp_path, f'auth = {{token = "x", token_file = "{tmp_path}/token"}}')

    assert validate(config) == [
        (("auth", "token", "token_file"), "token and token_file are mutually exclusive")
    ]


def test_validation_keeps_the_order_of_the_command() -> None:
    config = parse(
        b'graceful_restart_timeout = "-1s"\nrpc.engine = "x"\nprometheus.scrape_timeout = "-1s"\n'
        b'concurrency = [{max_per_repo = -1}]\ngit.config = [{key = "x"}]'
    )

    assert [problem.key[0] if problem.key else "" for problem in validate(config)] == [
        "",
        "bin_dir",
        "git",
        "storage",
        "prometheus",
        "gitlab",
        "gitlab",
        "graceful_restart_timeout",
        "concurrency",
        "rpc",
    ]
