"""Which files may hold a license, by their names (repository.md FindLicense)."""

from __future__ import annotations

import pytest

from gitaly_py.services.repository.license_files import is_license_name

LICENSES = [
    "LICENSE",
    "license",
    "Licence",
    "LISENSE.md",
    "LICENCES",
    "licenses.txt",
    "LEGAL",
    "legal.md",
    "COPYLEFT",
    "Copyright",
    "COPYING",
    "COPYING.LESSER",
    "UNLICENSE",
    "GPL",
    "gpl-3.0.txt",
    "lgpl2.1",
    "LGPL_20",
    "my_bsd.txt",
    "BSD",
    "MIT",
    "MIT-LICENSE",
    "LICENSE-MIT",
    "LICENSE-3RD-PARTY.md",
    "APACHE-2",
    "THIRD.PARTY-LICENSE",
    "license-readme.c",
]
OTHERS = [
    "README",
    "readme.md",
    "LICENSE-README.md",
    "license_guidelines.rst",
    "README.LICENSE.readme.html",
    "licensed.txt",
    "submit",
    "mitigate",
    "gplx",
    "GPL3",
    "GPLv2",
    "bsdish",
    "apaches",
    "main.c",
    "LICENSER",
    "unlicensed",
    "legally",
    ".txt",
]


@pytest.mark.parametrize("name", LICENSES)
def test_a_license_may_be_called(name: str) -> None:
    assert is_license_name(name.encode())


@pytest.mark.parametrize("name", OTHERS)
def test_no_license_is_called(name: str) -> None:
    assert not is_license_name(name.encode())


def test_names_need_not_be_text() -> None:
    assert is_license_name(b"\xff-license")
    assert is_license_name(b"new\nline.license")
    assert not is_license_name(b"\xfflicense")
