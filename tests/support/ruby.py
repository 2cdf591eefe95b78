"""Ruby's gRPC: scripts, and the stubs that they need."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

from tests.support.peers import needs

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests/ruby"
PROTOC = "grpc_tools_ruby_protoc"
WELL_KNOWN = files("grpc_tools") / "_proto"

needs_ruby = needs(PROTOC, "ruby-grpc with ruby-grpc-tools")


def generate(output: Path) -> Path:
    """Generates stubs from the project's own proto files, into `output`."""
    sources = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
    options = ["-I.", f"-I{WELL_KNOWN}", f"--ruby_out={output}", f"--grpc_out={output}"]
    subprocess.run([PROTOC, *options, *sources], cwd=ROOT / "proto", check=True)
    return output
