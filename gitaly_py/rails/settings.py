"""What the client of the internal API needs to know of the daemon's configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InternalApiSettings:
    """`[gitlab]` and its HTTP settings (daemon.md 1.3).

    url: `http://`, `https://` or `http+unix://<path>`, percent-encoded. secret: shared with Rails.
    relative_url_root: for http+unix only. read_timeout: seconds for a whole request. user, password: basic
    authentication if both are set. ca_file, ca_path: further authorities, PEM. client_certificate,
    client_key: paths of what is offered to a server that asks for a certificate.
    """

    url: str
    secret: bytes
    relative_url_root: str = ""
    read_timeout: float = 300
    user: str = ""
    password: str = ""
    ca_file: str = ""
    ca_path: str = ""
    client_certificate: str = ""
    client_key: str = ""
