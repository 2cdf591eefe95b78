"""Tracing while it is off; what it does while on is tested with a daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitaly_py.telemetry import tracing

_SERVES = "import gitaly_py.daemon.supervisor\nfrom gitaly_py.telemetry import tracing\n"


def printed(program: str, **environment: str) -> str:
    """What a new Python prints that has imported all of the daemon."""
    done = subprocess.run(
        [sys.executable, "-c", _SERVES + program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("connection", "loaded"), [("", "False"), ("otlp://127.0.0.1:1", "True")])
def test_the_library_is_imported_only_while_tracing_is_on(connection: str, loaded: str) -> None:
    program = (
        "import sys; tracing.start()\n"
        "print(any(name.partition('.')[0] in ('opentelemetry', 'requests') for name in sys.modules))"
    )
    assert printed(program, GITLAB_TRACING=connection).split()[-1] == loaded


def test_without_the_library_tracing_stays_off_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('not installed')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])

    text = printed(
        "tracing.start(); print(tracing.is_on())", PYTHONPATH=path, GITLAB_TRACING="otlp://127.0.0.1:1"
    )

    assert "gitaly_py[tracing]" in text
    assert text.split()[-1] == "False"


def test_nothing_is_begun_while_tracing_is_off() -> None:
    assert tracing.begin("name", {}) is None
    with tracing.spanning("name", {}) as span:
        assert span is None
    tracing.stop()
    assert not tracing.is_on()
