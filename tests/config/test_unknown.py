from __future__ import annotations

import pytest

from gitaly_py.config import Config, parse
from gitaly_py.config.unknown import unknown_keys


@pytest.mark.parametrize(
    ("toml", "unknown"),
    [
        pytest.param("", [], id="none"),
        pytest.param('socket_pathh = "x"', [("socket_pathh", "socket_path")], id="misspelt"),
        pytest.param("zzzz = 1", [("zzzz", None)], id="nothing like it"),
        pytest.param(
            '[[storage]]\nname = "a"\n[[storage]]\npth = "b"',
            [("storage.pth", "storage.path")],
            id="in a list",
        ),
        pytest.param(
            "[gitlab.http-settings]\nself_signed_cert = true\nca_files = 'x'",
            [
                ("gitlab.http-settings.self_signed_cert", None),
                ("gitlab.http-settings.ca_files", "gitlab.http-settings.ca_file"),
            ],
            id="in a table of a table",
        ),
        pytest.param(
            "[gitlab]\nhttp_settings = {}",
            [("gitlab.http_settings", "gitlab.http-settings")],
            id="underscore",
        ),
        pytest.param(
            "[[concurrency]]\n[concurrency.unauthenticated]\nrpc = 'x'",
            [("concurrency.unauthenticated.rpc", None)],
            id="optional",
        ),
        pytest.param(
            "[auth]\ntransitioning = true\nsocket_path = 'x'\n[git]\ntransitioning = true",
            [("auth.socket_path", "socket_path"), ("git.transitioning", "auth.transitioning")],
            id="in the wrong table",
        ),
        pytest.param("go_cloud_url = 'x'", [("go_cloud_url", None)], id="known in several tables"),
        pytest.param(
            "[[rate_limiting]]\nrpc = 'x'\n[praefect]\na = 1",
            [("rate_limiting", None), ("praefect", None)],
            id="sections",
        ),
        pytest.param(
            "git.bin_path = 'x'\nlogging.dir = 'y'",
            [("git.bin_path", None), ("logging.dir", None)],
            id="removed",
        ),
    ],
)
def test_unknown_keys_are_ignored_and_listed(toml: str, unknown: list[tuple[str, str | None]]) -> None:
    assert list(parse(toml.encode()).unknown_keys) == unknown


def test_a_table_in_place_of_a_value_is_not_entered() -> None:
    assert list(unknown_keys({"socket_path": {"a": 1}, "storage": [1]}, Config)) == []
