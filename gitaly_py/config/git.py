"""`[git]`: how git is run."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gitaly_py.config.section import Section, setting, several

_CATFILE_CACHE_SIZE = 100


def _positive_or_default(size: int) -> int:
    return size if size > 0 else _CATFILE_CACHE_SIZE


class GitConfig(Section):
    """`[[git.config]]`: one configuration value, applied last to every git command."""

    key: str = setting("", "Full key, such as `pack.threads`.")
    value: str = setting("", "Its value; may be empty.")


class GitSection(Section):
    """`[git]`."""

    catfile_cache_size: Annotated[int, AfterValidator(_positive_or_default)] = setting(
        _CATFILE_CACHE_SIZE,
        "Idle `git cat-file` processes kept, of each kind; 0 or less is the default.",
    )
    config: tuple[GitConfig, ...] = several("Configuration for every git command.")
    signing_key: str = setting(
        "",
        "Path of the daemon's key, which ServerSignature shows: its signatures count as the system's own. "
        "Nothing is signed with it yet.",
    )
    rotated_signing_keys: tuple[str, ...] = several("Former signing keys, whose signatures still count so.")
    committer_email: str = setting("", "E-mail address of the committer of signed commits. Not implemented.")
    committer_name: str = setting("", "Name of the committer of signed commits. Not implemented.")
