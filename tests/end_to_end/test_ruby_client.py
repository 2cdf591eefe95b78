"""A Ruby gRPC client against the daemon: what a Rails app does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.ruby import SCRIPTS, needs_ruby

TIMEOUT = 60

pytestmark = needs_ruby


def test_a_ruby_client_creates_and_reads_a_repository(ruby_stubs: Path, tmp_path: Path, engine: str) -> None:
    daemon = Daemon(tmp_path, engine=engine, token="s3cret", extra='listen_addr = "127.0.0.1:0"').start()
    try:
        arguments = [str(ruby_stubs), f"unix:{daemon.socket}", daemon.token, "default", "r.git"]
        client = subprocess.Popen(
            ["ruby", str(SCRIPTS / "client.rb"), *arguments],
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
