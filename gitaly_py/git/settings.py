"""What the git layer needs to know of the daemon's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GitSettings:
    """Choices for every git process of the daemon.

    binary: path of git; empty means the one on PATH.
    config: the administrator's `[[git.config]]`, key and value; it wins over everything else.
    environment: where inherited variables are taken from (daemon.md 6.2).
    terminate_grace: seconds a process has to end after SIGTERM.
    """

    binary: str = ""
    config: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    terminate_grace: float = 10.0
