"""Which object hash and reference backend a repository has, read from its `config` file.

No git process is needed, and a config file git would refuse does not fail here: the failure clients
know is git's own (repository.md A4, transport.md 2.2).
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from gitaly_py.git.errors import ConfigUnreadable, UnknownObjectFormat, UnknownReferenceBackend
from gitaly_py.git.wire.objects import OBJECT_FORMATS, ObjectFormat

_OBJECT_FORMAT = re.compile(rb"^[ \t]*objectformat[ \t]*=[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_REF_STORAGE = re.compile(rb"^[ \t]*refstorage[ \t]*=[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)


def object_format(repository_path: str) -> ObjectFormat:
    """The repository's object format; SHA-1 when its config names none.

    Raises UnknownObjectFormat and ConfigUnreadable.
    """
    name, _ = _configured(repository_path)
    if name not in OBJECT_FORMATS:
        raise UnknownObjectFormat(name)
    return OBJECT_FORMATS[name]


def reference_backend(repository_path: str) -> str:
    """`files` or `reftable`. Raises UnknownReferenceBackend and ConfigUnreadable."""
    _, name = _configured(repository_path)
    if name not in ("files", "reftable"):
        raise UnknownReferenceBackend(name)
    return name


def _configured(repository_path: str) -> tuple[str, str]:
    path = repository_path + "/config"
    try:
        status = os.stat(path)
        return _read(path, status.st_ino, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ConfigUnreadable(path, error) from error


@lru_cache(maxsize=4096)
def _read(path: str, *_state: int) -> tuple[str, str]:
    config = Path(path).read_bytes()
    return _value(_OBJECT_FORMAT, config, "sha1"), _value(_REF_STORAGE, config, "files")


def _value(key: re.Pattern[bytes], config: bytes, default: str) -> str:
    found = key.search(config)
    return found[1].removesuffix(b"\r").decode("utf-8", "surrogateescape") if found else default
