"""`[hooks]`: hooks of the installation."""

from __future__ import annotations

from pydantic import NonNegativeInt

from gitaly_py.config.section import Section, setting


class Hooks(Section):
    """`[hooks]`."""

    custom_hooks_dir: str = setting("", "Directory with hooks that run in every repository.")
    packobjects_hook_max_proc: NonNegativeInt = setting(0, "Accepted for compatibility; has no effect.")
