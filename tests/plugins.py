"""Loads the fixtures of `tests/support`, one subject a module."""

from __future__ import annotations

import importlib.metadata

import pytest

pytest_plugins = ["tests.support.fixtures"]


def pytest_report_header(config: pytest.Config) -> str:
    """Says which versions are under test."""
    import subprocess

    import pygit2

    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return f"git {git} · libgit2 {pygit2.LIBGIT2_VERSION} · grpcio {importlib.metadata.version('grpcio')}"
