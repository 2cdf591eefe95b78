"""The order of `--sort=version:refname` (ref-blob.md 3.3)."""

from __future__ import annotations

import re

_DIGITS = re.compile(rb"[0-9]+")


def version_key(name: bytes) -> bytes:
    """A sort key: keys compare as bytes the way git compares names as versions.

    The order is strverscmp's: a number is greater the more digits it has, and one that begins with
    zeros counts as a fraction, smaller the more zeros it has. Both become prefixes that plain
    comparison gets right, and stay within the digits' place in the order of other bytes.
    """
    return _DIGITS.sub(_number_key, name)


def _number_key(found: re.Match[bytes]) -> bytes:
    run = found[0]
    if run[0] != ord("0"):
        return b"1%b%b" % (len(run).to_bytes(2, "big"), run)
    fraction = run.lstrip(b"0")
    zeros = b"\x000" * (len(run) - len(fraction) - 1)
    # After a zero a further digit makes the number smaller, hence \0 before a digit and \1 before the rest.
    return b"0%b\x00%b" % (zeros, fraction) if fraction else b"0%b\x01" % zeros
