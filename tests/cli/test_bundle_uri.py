from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from tests.support.commands import gitaly_py
from tests.support.configuration import valid_toml
from tests.support.recording_daemon import RecordingDaemon


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        pytest.param(None, (0, "", ""), id="success"),
        pytest.param(
            (grpc.StatusCode.UNIMPLEMENTED, "no bundles here"),
            (1, "", "rpc error: code = Unimplemented desc = no bundles here\n"),
            id="refusal",
        ),
    ],
)
def test_a_bundle_is_asked_for(
    tmp_path: Path, refusal: tuple[grpc.StatusCode, str] | None, outcome: tuple[int, str, str]
) -> None:
    (tmp_path / "config.toml").write_text(valid_toml(tmp_path))
    daemon = RecordingDaemon(refusal)

    with daemon.listening(f"unix:{tmp_path}/gitaly.socket"):
        assert gitaly_py("bundle-uri", "--repository", "a.git", "-c", f"{tmp_path}/config.toml") == outcome

    assert daemon.calls[0].path == "/gitaly.RepositoryService/GenerateBundleURI"
    assert daemon.calls[0].requests[0].repository.relative_path == "a.git"


def test_a_bundle_needs_a_repository() -> None:
    assert gitaly_py("bundle-uri", "-c", "x") == (1, "", 'Required flag "repository" not set\n')
