"""A Ruby gRPC client against the daemon: what a Rails app does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.repositories import Repo

ROOT = Path(__file__).resolve().parents[2]
PROTOC = "grpc_tools_ruby_protoc"
WELL_KNOWN = files("grpc_tools") / "_proto"
TIMEOUT = 60

pytestmark = pytest.mark.skipif(
    shutil.which(PROTOC) is None, reason="ruby-grpc and ruby-grpc-tools are not installed"
)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ruby stubs, generated from the project's own proto files."""
    output = tmp_path_factory.mktemp("stubs")
    sources = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    options = ["-I.", f"-I{WELL_KNOWN}", f"--ruby_out={output}", f"--grpc_out={output}"]
    subprocess.run([PROTOC, *options, *sources], cwd=ROOT / "proto", check=True)
    return output


def test_a_ruby_client_creates_and_reads_a_repository(stubs: Path, tmp_path: Path, engine: str) -> None:
    daemon = Daemon(tmp_path, engine=engine, token="s3cret", extra='listen_addr = "127.0.0.1:0"').start()
    try:
        arguments = [str(stubs), f"unix:{daemon.socket}", daemon.token, "default", "r.git"]
        client = subprocess.Popen(
            ["ruby", str(ROOT / "tests/ruby/client.rb"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdout is not None
        assert client.stdout.readline() == "created\n"
        repo = Repo.at(daemon.storage / "r.git")
        big = os.urandom(700_000)
        oid = repo.commit("from git", files={"dir/a": b"a", "big": big}, ref="refs/heads/main")
        output, _ = client.communicate("go\n", timeout=TIMEOUT)
        assert client.returncode == 0
    finally:
        daemon.stop()
    answer = json.loads(output)
    listing = repo.git("ls-tree", "-r", "-t", "main").splitlines()
    expected = [[*line.split("\t")[0].split(), line.split("\t")[1]] for line in listing]
    assert answer == {
        "commit": oid,
        "subject": "from git",
        "missing": True,
        "entries": [[mode.lstrip("0"), kind.upper(), blob, path] for mode, kind, blob, path in expected],
        "references": [["HEAD", oid], ["refs/heads/main", oid]],
        "blob_size": len(big),
        "blob_sha": hashlib.sha256(big).hexdigest(),
        "without_token": 16,
    }
