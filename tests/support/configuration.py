"""Configurations for tests: a valid file, and ways to change it."""

from __future__ import annotations

from pathlib import Path

from gitaly_py.config import Config, parse


def valid_toml(folder: Path) -> str:
    """A configuration without a fault; storage, secret and bin_dir lie in `folder`."""
    for name in ("bin", "storage"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "secret").write_text("rails secret\n")
    return (
        f'socket_path = "{folder}/gitaly.socket"\n'
        f'bin_dir = "{folder}/bin"\n'
        f'storage = [{{name = "default", path = "{folder}/storage"}}]\n'
        f'gitlab.url = "http://gitlab.example"\ngitlab.secret_file = "{folder}/secret"\n'
    )


def without(toml: str, *keys: str) -> str:
    """`toml` without the lines that set `keys`."""
    return "".join(line for line in toml.splitlines(keepends=True) if line.split(" = ")[0] not in keys)


def configured(folder: Path, more: str = "", *, drop: tuple[str, ...] = ()) -> Config:
    """The valid configuration with `more` added and the keys `drop` removed."""
    return parse((without(valid_toml(folder), *drop) + more).encode())
