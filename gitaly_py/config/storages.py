"""`[[storage]]`: where repositories lie."""

from __future__ import annotations

from gitaly_py.config.section import Section, setting


class Storage(Section):
    """A directory that holds repositories, under the name that clients use for it."""

    name: str = setting("", "Name by which clients address the storage.")
    path: str = setting("", "Absolute path of an existing directory.")
