"""`[workers]`: this daemon's processes. Gitaly does not have this section."""

from __future__ import annotations

from gitaly_py.config.section import Section, setting


class Workers(Section):
    """`[workers]`."""

    count: int = setting(0, "Processes that serve calls; 0 is one a core.")
