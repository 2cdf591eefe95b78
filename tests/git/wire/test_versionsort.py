"""Order of versions; git is the oracle."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.versionsort import version_key
from tests.support.repositories import Repo


def test_the_order_of_the_specification() -> None:
    ordered = b"1.0 V1 a v v1.002 v1.02 v1.0 v1.2 v1.2-rc1 v1.2.0 v1.2rc1 v1.10 v9 v10".split()
    shuffled = sorted(ordered)
    assert sorted(shuffled, key=version_key) == ordered


def compared(a: bytes, b: bytes) -> int:
    """The algorithm of ref-blob.md 3.3, step by step."""
    if a == b:
        return 0
    i = next(n for n in range(len(a) + 1) if a[n : n + 1] != b[n : n + 1])
    run = a[len(a[:i].rstrip(b"0123456789")) : i]
    c1, c2 = (text[i] if i < len(text) else 0 for text in (a, b))
    d1, d2 = chr(c1).isdigit(), chr(c2).isdigit()
    by_length = d1 and d2 and c1 != ord("0") and c2 != ord("0")
    if run and run[:1] != b"0":
        if d1 != d2:
            return 1 if d1 else -1
        by_length = d1 and d2
    elif run:
        if not run.strip(b"0") and d1 != d2:
            return -1 if d1 else 1
        by_length = False
    if by_length:
        n1, n2 = (len(text[i:]) - len(text[i:].lstrip(b"0123456789")) for text in (a, b))
        if n1 != n2:
            return n1 - n2
    return c1 - c2


names = st.text(alphabet="0019v./-", max_size=9).map(str.encode)


@settings(max_examples=100)
@given(names, names)
def test_keys_compare_as_the_specification_says(a: bytes, b: bytes) -> None:
    key_a, key_b = version_key(a), version_key(b)
    assert (key_a > key_b) - (key_a < key_b) == (compared(a, b) > 0) - (compared(a, b) < 0)


def test_keys_sort_as_git_does(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    oid = repo.commit()
    parts = ["", "0", "00", "01", "1", "10", "9", "09", "007", "7a", "a7", "-rc1", ".0", ".00", ".1", "1.1"]
    refs = {f"refs/tags/v{a}x{b}".encode() for a in parts for b in parts}
    refs |= {f"refs/tags/v{a}".encode() for a in parts}
    valid = sorted(name for name in refs if b".." not in name)
    Path(repo.path, "packed-refs").write_bytes(b"".join(oid.encode() + b" " + name + b"\n" for name in valid))
    listed = repo.git("for-each-ref", "--sort=version:refname", "--format=%(refname)").encode().split()
    assert sorted(valid, key=version_key) == listed
