from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.config import validate
from gitaly_py.config.certificates import pair_fault
from gitaly_py.config.tls import Tls
from tests.support.certificates import self_signed
from tests.support.configuration import configured

NO_MATCH = "private key does not match the certificate"


@pytest.fixture(scope="module")
def pem() -> tuple[bytes, bytes, bytes]:
    """A certificate, its key, and another key."""
    return *self_signed("localhost"), self_signed("localhost")[1]


def written(folder: Path, certificate: bytes, key: bytes) -> Tls:
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    return Tls(certificate_path=f"{folder}/cert.pem", key_path=f"{folder}/key.pem")


def test_a_certificate_and_its_key_are_a_pair(tmp_path: Path, pem: tuple[bytes, bytes, bytes]) -> None:
    tls = written(tmp_path, pem[0], pem[1])

    assert pair_fault(tls) is None
    assert pair_fault(Tls(certificate_path=tls.certificate_path, key=pem[1].decode())) is None


def test_another_key_does_not_do(tmp_path: Path, pem: tuple[bytes, bytes, bytes]) -> None:
    tls = written(tmp_path, pem[0], pem[2])

    assert pair_fault(tls) == ("key_path", NO_MATCH)
    assert pair_fault(Tls(certificate_path=tls.certificate_path, key=pem[2].decode())) == ("key", NO_MATCH)


def test_what_is_no_pem_is_told_at_its_key(tmp_path: Path, pem: tuple[bytes, bytes, bytes]) -> None:
    assert pair_fault(written(tmp_path, b"x", pem[1])) == (
        "certificate_path",
        "not a certificate in PEM form",
    )
    assert pair_fault(written(tmp_path, pem[0], b"x")) == (
        "key_path",
        "not an unencrypted private key in PEM form",
    )


def test_validation_tells_of_a_pair_that_does_not_match(
    tmp_path: Path, pem: tuple[bytes, bytes, bytes]
) -> None:
    tls = written(tmp_path, pem[0], pem[2])
    more = f'tls = {{certificate_path = "{tls.certificate_path}", key_path = "{tls.key_path}"}}'

    assert validate(configured(tmp_path, more)) == [(("tls", "key_path"), NO_MATCH)]
