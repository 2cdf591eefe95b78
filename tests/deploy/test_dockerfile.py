"""`deploy/Dockerfile` sets the daemon up as `make serve` does, and runs it as the README says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from tests.support.prometheus import DEPLOY

ROOT = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"
IGNORE = DEPLOY / "Dockerfile.dockerignore"
PROGRAM = "/opt/gitaly_py/.venv/bin/gitaly-py"
TARGET = ".venv/.installed"
PACKAGES = ["ca-certificates", "git", "make", "python3", "python3-venv"]
"""What `make serve` needs on a bare Debian machine; python3-venv it would install by itself."""


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [
        (name, " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in text.splitlines())
    ]


def commands() -> list[str]:
    """What is run to build the image."""
    return [command for name, rest in instructions() if name == "RUN" for command in rest.split(" && ")]


def recipe(folder: Path, target: str) -> list[str]:
    """The commands by which make would make a target."""
    line = ["make", "--directory", folder, "--dry-run", "--always-make", "--no-print-directory", target]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()


def test_nothing_is_run_but_the_set_up() -> None:
    user = dict(instructions())["USER"]

    assert commands() == [
        "apt-get update",
        f"apt-get install -y --no-install-recommends {' '.join(PACKAGES)}",
        "rm -rf /var/lib/apt/lists/*",
        f"useradd --system --home-dir /var/lib/{user} --shell /usr/sbin/nologin {user}",
        f"install -d -o {user} -g {user} /run/{user}",
        f"install -d -o {user} -g {user} -m 0700 /var/lib/{user} /var/lib/{user}/repositories",
        f"make {TARGET}",
    ]


def test_the_set_up_is_that_of_make_serve() -> None:
    set_up = recipe(ROOT, TARGET)

    assert "    make serve" in (ROOT / "README.md").read_text().splitlines()
    assert recipe(ROOT, "serve") == [*set_up, ".venv/bin/python tools/serve.py"]


def test_the_image_runs_the_daemon_as_the_readme_does_and_not_as_root() -> None:
    found = dict(instructions())
    service = (DEPLOY / "systemd" / "gitaly-py.service").read_text()

    assert json.loads(found["ENTRYPOINT"]) == [PROGRAM]
    assert json.loads(found["CMD"]) == ["serve", "/etc/gitaly/config.toml"]
    assert "    gitaly-py serve config.toml " in (ROOT / "README.md").read_text()
    assert found["FROM"] == "debian:bookworm-slim"
    assert f"\nUser={found['USER']}\n" in service


def test_the_image_gets_the_files_that_the_set_up_reads(tmp_path: Path) -> None:
    for line in IGNORE.read_text().splitlines():
        if line.startswith("!"):
            source, copy = ROOT / line[1:], tmp_path / line[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)

    assert recipe(tmp_path, TARGET) == recipe(ROOT, TARGET)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in (
        "tools/make-venv.py",
        "proto/gitaly_py/pb",
        project["readme"],
        *project["license-files"],
        "gitaly_py/cli",
    ):
        assert (tmp_path / name).exists(), name
