"""Which configuration cannot change what upload-pack says of references.

Only what is known to be harmless counts: with anything else, and with what git might not even be able to
read, git has to answer.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from gitaly_py.git.commands import Config
from gitaly_py.git.reading.stamps import Stamp, is_unchanged, now, stamp_of

_SECTION: Final = re.compile(rb'\s*\[([A-Za-z0-9-]+)(?:[ \t]+"(?:[^"\\\n]|\\.)*")?\]\s*')
_VARIABLE: Final = re.compile(rb'\s*([A-Za-z][A-Za-z0-9-]*)(?:\s*=\s*((?:[^"\\#;]|"[^"\\]*")*))?')
_NOTHING: Final = re.compile(rb"\s*(?:[#;].*)?")

_BOOLEAN: Final = re.compile(r"(?:true|false|yes|no|on|off|[01])?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,9}[kmg]?", re.IGNORECASE)
_WORDS: Final = re.compile(r"[a-z,-]*")

_SECTIONS: Final = {
    "branch",
    "fetch",
    "fsck",
    "gc",
    "gitlab",
    "http",
    "maintenance",
    "pack",
    "receive",
    "remote",
    "repack",
    "user",
}
_VARIABLES: Final = {
    "core.bare": _BOOLEAN,
    "core.bigfilethreshold": _NUMBER,
    "core.compression": _NUMBER,
    "core.filemode": _BOOLEAN,
    "core.filesreflocktimeout": _NUMBER,
    "core.fsync": _WORDS,
    "core.fsyncmethod": _WORDS,
    "core.fsyncobjectfiles": _BOOLEAN,
    "core.ignorecase": _BOOLEAN,
    "core.logallrefupdates": _BOOLEAN,
    "core.packedrefstimeout": _NUMBER,
    "core.precomposeunicode": _BOOLEAN,
    "core.repositoryformatversion": re.compile(r"[01]"),
    "core.symlinks": _BOOLEAN,
    "extensions.objectformat": re.compile(r"sha1|sha256"),
    "extensions.refstorage": re.compile(r"files|reftable"),
}
_DEFAULTS: Final = {
    # What the daemon says itself, and what Rails asks for in each request.
    "uploadpack.advertisebundleuris": "false",
    "uploadpack.allowanysha1inwant": "true",
    "uploadpack.allowfilter": "true",
}
_PROMISOR: Final = {"remote.promisor", "remote.partialclonefilter"}
"""Git may fetch what is missing from such a remote while it answers."""

_LARGEST: Final = 64 << 10
"""Bytes of the longest config file that is looked at."""
_KEPT: Final = 4096


class Facts(NamedTuple):
    """A repository whose configuration is harmless. object_format: `sha1` or `sha256`; backend: of its
    references, `files` or `reftable`."""

    object_format: str
    backend: str


class Configurations:
    """What the config files of repositories say; looked at again when they have changed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Stamp, Facts | None]] = OrderedDict()

    def facts(self, repository_path: str) -> Facts | None:
        """None when only git can tell what the configuration means."""
        path = f"{repository_path}/config"
        kept = self._kept.get(path)
        if kept is not None and is_unchanged(path, kept[0]):
            self._kept.move_to_end(path)
            return kept[1]
        self._kept.pop(path, None)
        return self._read(path)

    def _read(self, path: str) -> Facts | None:
        read_at = now()
        try:
            with open(path, "rb") as file:
                version = stamp_of(os.fstat(file.fileno()))
                text = file.read(_LARGEST + 1)
        except OSError:
            return None
        found = facts_of(text) if len(text) <= _LARGEST else None
        if version.settled(read_at):
            self._kept[path] = version, found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def facts_of(text: bytes) -> Facts | None:
    """What a config file says, None unless all of it is harmless and plain."""
    facts = {"extensions.objectformat": "sha1", "extensions.refstorage": "files"}
    try:
        for key, value in _variables(text):
            if not _is_harmless(key, value):
                return None
            if key in facts:
                facts[key] = value
    except ValueError:
        return None
    return Facts(*facts.values())


def is_default(options: Config) -> bool:
    """Whether the git_config_options of a request say nothing but what is so anyway."""
    return all(_DEFAULTS.get(key.lower()) == value for key, value in options)


def is_harmless(pairs: Config) -> bool:
    """Whether all of the administrator's `-c` pairs are harmless."""
    for key, value in pairs:
        section, _, rest = key.lower().partition(".")
        if not _is_harmless(f"{section}.{rest.rpartition('.')[2]}", value):
            return False
    return True


def _is_harmless(key: str, value: str) -> bool:
    """key: section and variable, without what may stand between them."""
    allowed = _VARIABLES.get(key)
    if allowed is not None:
        return allowed.fullmatch(value) is not None
    if key in _DEFAULTS:
        return _DEFAULTS[key] == value
    return key.partition(".")[0] in _SECTIONS and key not in _PROMISOR


def _variables(text: bytes) -> Iterator[tuple[str, str]]:
    """The variables of a config file. Raises ValueError for what is not plain."""
    section = ""
    for line in text.split(b"\n"):
        if _NOTHING.fullmatch(line):
            continue
        if header := _SECTION.fullmatch(line):
            section = header[1].decode().lower()
            continue
        variable = _VARIABLE.fullmatch(line)
        if variable is None or not section:
            raise ValueError(line)
        value = "true" if variable[2] is None else variable[2].decode("utf-8", "surrogateescape")
        yield f"{section}.{variable[1].decode().lower()}", value.strip()
