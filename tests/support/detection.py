"""What Debian's ruby-github-linguist and ruby-licensee say, where they are installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_SCRIPTS = Path(__file__).resolve().parents[1] / "ruby"


@cache
def _has(gem: str) -> bool:
    try:
        return (
            subprocess.run(["ruby", "-e", f"require '{gem}'"], capture_output=True, check=False).returncode
            == 0
        )
    except FileNotFoundError:
        return False


def linguist(files: Sequence[tuple[str, str]]) -> list[tuple[str | None, bool, bool]]:
    """Language, and whether it is documentation and vendored, of each file (path, content)."""
    return [tuple(answer) for answer in _asked("linguist", "languages.rb", files)]


def licensee() -> dict[str, str]:
    """The texts of its licenses by their keys."""
    texts: dict[str, str] = _asked("licensee", "licenses.rb", None)
    return texts


def _asked(gem: str, script: str, question: Any) -> Any:
    if not _has(gem):
        pytest.skip(f"needs Ruby with {gem}")
    line = ["ruby", "-E", "UTF-8", str(_SCRIPTS / script)]
    return json.loads(
        subprocess.run(line, input=json.dumps(question).encode(), capture_output=True, check=True).stdout
    )
