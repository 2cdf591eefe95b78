"""Build hook: compiles `proto/` into `gitaly_py/pb/`, for wheels and editable installs alike."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs protoc from grpcio-tools over every `.proto` of the project."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_protos(Path(self.root))


def compile_protos(root: Path) -> None:
    """Compiles `root/proto/gitaly_py/pb/*.proto` into `root/gitaly_py/pb/`.

    The folder below `proto/` equals the package, so the imports in generated code need no patching.
    Raises SystemExit with protoc's status when a file does not compile.
    """
    from grpc_tools import protoc

    protos = root / "proto"
    sources = sorted(str(path) for path in (protos / "gitaly_py" / "pb").glob("*.proto"))
    package = root / "gitaly_py" / "pb"
    package.mkdir(parents=True, exist_ok=True)
    include = files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{protos}",
            f"-I{include}",
            f"--python_out={root}",
            f"--pyi_out={root}",
            f"--grpc_python_out={root}",
            *sources,
        ]
    )
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    compile_protos(Path(__file__).resolve().parent)
    sys.exit(0)
