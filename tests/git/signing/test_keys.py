"""Signatures by keys of every kind, made with `gpg` and `ssh-keygen` (commit.md 3.1)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.signing.errors import KeyUnreadable, KeyUnusable
from gitaly_py.git.signing.keys import VerifyingKey, is_signed_by, load_keys

SAMPLES = Path(__file__).parents[2] / "data" / "signing"
TEXT = (SAMPLES / "text").read_bytes()
SIGNATURES = sorted(path.name for path in SAMPLES.glob("text.*.sig"))
KEYS = [
    "pgp_dsa",
    "pgp_ecdsa",
    "pgp_ed25519",
    "pgp_rsa",
    "pgp_with_subkey",
    "ssh_ecdsa",
    "ssh_ed25519",
    "ssh_rsa",
]
ONE_OF_EACH = ["text.pgp_rsa.sig", "text.pgp_ecdsa.sig", "text.ssh_ed25519.sig", "text.ssh_ecdsa.sig"]


@lru_cache
def loaded(name: str) -> list[VerifyingKey]:
    """The key of one sample, read once."""
    return load_keys([str(SAMPLES / name)])


def signers(signature: bytes, text: bytes) -> list[str]:
    """The keys that made it."""
    return [name for name in KEYS if is_signed_by(loaded(name), signature, text)]


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_of_its_key_and_of_no_other(name: str) -> None:
    signature = (SAMPLES / name).read_bytes()
    key = name.split(".")[1]
    # The key with a subkey is the one without, and more.
    expected = [key, "pgp_with_subkey"] if key == "pgp_rsa" else [key]

    assert signers(signature, TEXT) == expected
    assert signers(signature.removesuffix(b"\n"), TEXT) == expected
    for other in (TEXT + b"\n", TEXT[1:], b"", TEXT.replace(b"  \n", b"\n")):
        assert signers(signature, other) == []


def test_one_key_of_several_is_enough() -> None:
    keys = load_keys([str(SAMPLES / name) for name in ("ssh_rsa", "pgp_dsa", "pgp_ed25519")])

    assert is_signed_by(keys, (SAMPLES / "text.pgp_ed25519.sig").read_bytes(), TEXT)
    assert not is_signed_by(keys, (SAMPLES / "text.pgp_rsa.sig").read_bytes(), TEXT)
    assert not is_signed_by([], (SAMPLES / "text.pgp_rsa.sig").read_bytes(), TEXT)


def test_only_a_text_mode_signature_does_not_mind_line_ends() -> None:
    unix, windows = TEXT.replace(b"\r\n", b"\n"), TEXT.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    for text in (unix, windows):
        assert "pgp_rsa" in signers((SAMPLES / "text.pgp_rsa.textmode.sig").read_bytes(), text)
        assert signers((SAMPLES / "text.pgp_rsa.sig").read_bytes(), text) == []


def test_nothing_may_follow_an_ssh_signature() -> None:
    signature = (SAMPLES / "text.ssh_ed25519.sig").read_bytes()

    assert signers(signature, TEXT) == ["ssh_ed25519"]
    assert signers(signature + b"more", TEXT) == []
    assert signers(b"more\n" + signature, TEXT) == []


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(ONE_OF_EACH),
    position=st.floats(0, 0.999),
    replaced=st.one_of(st.binary(max_size=3), st.just(b"A"), st.just(b"\n")),
    removed=st.integers(0, 40),
)
def test_a_damaged_signature_signs_no_other_text(
    name: str, position: float, replaced: bytes, removed: int
) -> None:
    whole = (SAMPLES / name).read_bytes()
    at = int(len(whole) * position)

    damaged = whole[:at] + replaced + whole[at + removed :]

    assert not is_signed_by(loaded(name.split(".")[1]), damaged, TEXT + b"x")


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["pgp_rsa", "pgp_ecdsa", "pgp_dsa", "ssh_rsa"]),
    position=st.floats(0, 0.999),
    inserted=st.binary(max_size=3),
)
def test_a_damaged_key_is_refused_or_did_not_sign_another_text(
    tmp_path_factory: pytest.TempPathFactory, name: str, position: float, inserted: bytes
) -> None:
    whole = (SAMPLES / name).read_bytes()
    at = int(len(whole) * position)
    path = tmp_path_factory.getbasetemp() / "damaged key"
    path.write_bytes(whole[:at] + inserted)

    try:
        keys = load_keys([str(path)])
    except KeyUnusable:
        keys = []
    assert not is_signed_by(keys, (SAMPLES / f"text.{name}.sig").read_bytes(), TEXT + b"x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    ],
)
def test_a_file_without_a_usable_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(KeyUnusable, match=str(path)):
        load_keys([str(path)])


def test_a_key_with_a_passphrase_is_refused() -> None:
    with pytest.raises(KeyUnusable, match="password"):
        load_keys([str(SAMPLES / "ssh_with_passphrase")])


def test_a_key_that_is_not_there_is_told_by_its_path() -> None:
    with pytest.raises(KeyUnreadable, match=r"^open /nowhere/key: no such file or directory$"):
        load_keys(["/nowhere/key"])
