"""`[tls]`: the certificate of the TLS listener."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from gitaly_py.config.section import Section, setting

VERSIONS = ("TLS 1.2", "TLS 1.3")


def _supported(version: str) -> str:
    if version not in VERSIONS:
        raise PydanticCustomError("tls_version", 'unsupported TLS version: "{version}"', {"version": version})
    return version


class Tls(Section):
    """`[tls]`."""

    certificate_path: str = setting("", "PEM file with the certificate and the intermediate ones.")
    key_path: str = setting("", "PEM file with the private key.")
    key: str = setting("", "The private key itself as PEM text; instead of `key_path`.", secret=True)
    min_version: Annotated[str, AfterValidator(_supported)] = setting(
        "TLS 1.2", "Oldest version accepted: `TLS 1.2` or `TLS 1.3`."
    )

    @property
    def is_set(self) -> bool:
        return bool(self.certificate_path or self.key_path or self.key)
