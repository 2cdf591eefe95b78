"""Addresses and TLS of the internal API (transport.md 9.1)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gitaly_py.rails.client import InternalApi
from gitaly_py.rails.errors import InvalidApiUrl, Unreachable
from gitaly_py.rails.settings import InternalApiSettings
from tests.support.rails import SECRET, running_rails


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    encoding = serialization.Encoding.PEM
    file.write_bytes(
        made.public_bytes(encoding)
        + key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


def server_context(certificate: Path, *, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
    return context


async def version(settings: InternalApiSettings) -> str:
    api = InternalApi(settings)
    try:
        return (await api.check()).gitlab_version
    finally:
        await api.close()


async def test_http_root_is_part_of_the_url() -> None:
    async with running_rails(root="gitlab") as rails:
        settings = InternalApiSettings(url=rails.url + "/git%6cab/", secret=SECRET, relative_url_root="/x")

        assert await version(settings) == "18.9.0"


@pytest.mark.parametrize("root", ["", "gitlab"])
async def test_unix_socket_takes_the_relative_root(tmp_path: Path, root: str) -> None:
    async with running_rails(unix_path=str(tmp_path / "rails.sock"), root=root) as rails:
        settings = InternalApiSettings(url=rails.url, secret=SECRET, relative_url_root=f"/{root}/")

        assert await version(settings) == "18.9.0"


@pytest.mark.parametrize("url", ["", "ftp://gitlab", "gitlab.example"])
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidApiUrl):
        InternalApi(InternalApiSettings(url=url, secret=SECRET))


async def test_https_with_an_unknown_authority_is_unreachable(certificate: Path) -> None:
    async with running_rails(tls=server_context(certificate)) as rails:
        with pytest.raises(Unreachable):
            await version(InternalApiSettings(url=rails.url, secret=SECRET))


async def test_https_trusts_the_ca_file(certificate: Path) -> None:
    async with running_rails(tls=server_context(certificate)) as rails:
        settings = InternalApiSettings(url=rails.url, secret=SECRET, ca_file=str(certificate))

        assert await version(settings) == "18.9.0"


async def test_https_trusts_every_certificate_in_ca_path(certificate: Path, tmp_path: Path) -> None:
    shutil.copy(certificate, tmp_path / "authority.crt")
    (tmp_path / "README").write_text("no certificate")
    (tmp_path / "folder").mkdir()
    async with running_rails(tls=server_context(certificate)) as rails:
        settings = InternalApiSettings(url=rails.url, secret=SECRET, ca_path=str(tmp_path))

        assert await version(settings) == "18.9.0"


async def test_https_offers_the_client_certificate(certificate: Path) -> None:
    async with running_rails(tls=server_context(certificate, wants_client=True)) as rails:
        settings = InternalApiSettings(
            url=rails.url, secret=SECRET, ca_file=str(certificate), client_certificate=str(certificate)
        )

        assert await version(settings) == "18.9.0"
        assert rails.requests[0].peer_certificate["subject"] == ((("commonName", "localhost"),),)
