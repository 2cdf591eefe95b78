from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config.notices import notices
from tests.support.configuration import configured


@pytest.mark.parametrize(
    "more", ["", "daily_maintenance.disabled = true", 'prometheus.scrape_timeout = "10s"'], ids=repr
)
def test_there_is_nothing_to_say_of_a_plain_configuration(tmp_path: Path, more: str) -> None:
    assert notices(configured(tmp_path, more)) == []


@pytest.mark.parametrize(
    ("more", "notice"),
    [
        (
            "sokcet_path = 1",
            'configuration key "sokcet_path" is unknown and ignored, did you mean "socket_path"?',
        ),
        ("zzzz = 1", 'configuration key "zzzz" is unknown and ignored'),
        (
            "raft.enabled = false\ntransactions.enabled = true",
            "transactions.enabled is set, but this daemon does not implement it",
        ),
        *(
            (f"{key} = {value}", f"{key} is set, but this daemon does not implement it")
            for key, value in (
                ("archive_cache.enabled", "true"),
                ("backup.go_cloud_url", '"s3://x"'),
                ("bundle_uri.go_cloud_url", '"s3://x"'),
                ("git.committer_email", '"a@b"'),
                ("git.committer_name", '"a"'),
                ("logging.sentry_dsn", '"https://x"'),
            )
        ),
        *(
            (f"{key} = {value}", f"{key} is set, but has no effect")
            for key, value in (
                ("use_libp2p_yamux", "true"),
                ("prometheus.scrape_timeout", '"1s"'),
                ("hooks.packobjects_hook_max_proc", "1"),
            )
        ),
        (
            'daily_maintenance.duration = "1h"',
            "daily_maintenance is set, but this daemon does not implement it",
        ),
        ("load_shedder.enabled = true", "load_shedder.enabled is set, but this daemon does not implement it"),
        (
            'auth = {token = "x", transitioning = true}',
            "auth.transitioning is set: requests pass whatever their token",
        ),
        (
            'git.signing_key = "/key"',
            "git.signing_key is set: its signatures are known, but nothing is signed with it yet",
        ),
        (
            "cgroups.repositories.memory_bytes = 1",
            "cgroups.repositories has limits, but its count is 0, so control groups are not used",
        ),
        (
            'gitlab.http-settings.ca_path = "/none"',
            "the configuration is not valid in all parts, "
            "run `gitaly-py configuration validate < <config>` to see why",
        ),
    ],
)
def test_the_operator_is_told(tmp_path: Path, more: str, notice: str) -> None:
    assert notices(configured(tmp_path, more)) == [notice]


def test_the_operator_is_told_of_a_variable_without_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITALY_USE_LIBP2P_YAMUX", "1")

    assert notices(configured(tmp_path)) == ["GITALY_USE_LIBP2P_YAMUX is set, but has no effect"]
