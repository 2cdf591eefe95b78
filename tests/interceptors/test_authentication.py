"""Tokens (daemon.md 3)."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from grpc import StatusCode

from gitaly_py.interceptors.authentication import WINDOW_SECONDS, verify
from gitaly_py.rpc.status import RpcError
from gitaly_py.telemetry import metrics

SECRET = b"s3cret"
NOW = 1_700_000_000.0


def token(issued: int | str = int(NOW), *, secret: bytes = SECRET, version: str = "v2") -> str:
    message = str(issued)
    return f"{version}.{hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()}.{message}"


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {token()}",
        f"bearer {token()}",
        f"Bearer {token(int(NOW) - WINDOW_SECONDS)}",
        f"Bearer {token(int(NOW) + WINDOW_SECONDS)}",
        f"Bearer {token('+' + str(int(NOW)))}",
        f"Bearer {token('0' * 30 + str(int(NOW)))}",
        "Bearer v2." + token().split(".")[1].upper() + "." + token().split(".")[2],
    ],
    ids=["now", "scheme in lower case", "oldest", "newest", "sign", "zeros", "upper-case hex"],
)
def test_a_valid_token_passes(header: str) -> None:
    assert verify(header, SECRET, NOW) is None


@pytest.mark.parametrize(
    ("issued", "now", "reason"),
    [
        (int(NOW) - WINDOW_SECONDS, NOW + 0.1, "token has expired"),
        (int(NOW) + WINDOW_SECONDS, NOW - 0.1, "token's validity window is in future"),
    ],
    ids=["past", "future"],
)
def test_the_window_has_fractions_of_seconds(issued: int, now: float, reason: str) -> None:
    with pytest.raises(RpcError, match=reason):
        verify(f"Bearer {token(issued)}", SECRET, now)


def test_checks_come_in_order() -> None:
    """Each token has the fault of the line and all those after it."""
    old = token("soon", secret=b"other", version="v3")
    faults = [
        (f"Basic {old}", "authentication required"),
        (f"Bearer {old}", "invalid token version"),
        (f"Bearer {token('soon', secret=b'other')}", "wrong hmac signature"),
        (f"Bearer {token('soon')}", "cannot parse timestamp"),
    ]

    for header, reason in faults:
        with pytest.raises(RpcError, match=reason):
            verify(header, SECRET, NOW)


@pytest.mark.parametrize(
    ("header", "code", "text"),
    [
        ("", StatusCode.UNAUTHENTICATED, "authentication required"),
        (f"Basic {token()}", StatusCode.UNAUTHENTICATED, "authentication required"),
        ("Bearer s3cret", StatusCode.UNAUTHENTICATED, "authentication required"),
        ("Bearer v2.zz.1", StatusCode.UNAUTHENTICATED, "authentication required"),
        (
            f"Bearer {token(version='v3')}",
            StatusCode.PERMISSION_DENIED,
            "permission denied: invalid token version",
        ),
        (
            f"Bearer {token(secret=b'other')}",
            StatusCode.PERMISSION_DENIED,
            "permission denied: wrong hmac signature",
        ),
        (
            f"Bearer {token('soon')}",
            StatusCode.PERMISSION_DENIED,
            'permission denied: cannot parse timestamp: strconv.ParseInt: parsing "soon": invalid syntax',
        ),
        (
            f"Bearer  {token()}",
            StatusCode.PERMISSION_DENIED,
            "permission denied: invalid token version",
        ),
        (
            f"Bearer {token()}.more",
            StatusCode.PERMISSION_DENIED,
            "permission denied: wrong hmac signature",
        ),
        (
            f"Bearer {token(2**63)}",
            StatusCode.PERMISSION_DENIED,
            f'permission denied: cannot parse timestamp: strconv.ParseInt: parsing "{2**63}": invalid syntax',
        ),
        (
            f"Bearer {token(int(NOW) - WINDOW_SECONDS - 1)}",
            StatusCode.PERMISSION_DENIED,
            "permission denied: token has expired",
        ),
        (
            f"Bearer {token(int(NOW) + WINDOW_SECONDS + 1)}",
            StatusCode.PERMISSION_DENIED,
            "permission denied: token's validity window is in future",
        ),
    ],
    ids=[
        "none",
        "basic",
        "plain secret",
        "bad hex",
        "version",
        "secret",
        "no time",
        "two spaces",
        "four parts",
        "no int64",
        "expired",
        "future",
    ],
)
def test_any_other_token_is_refused(header: str, code: StatusCode, text: str) -> None:
    with pytest.raises(RpcError) as refusal:
        verify(header, SECRET, NOW)
    assert (refusal.value.code, str(refusal.value)) == (code, text)


@pytest.mark.parametrize(
    ("header", "counted"),
    [(f"Bearer {token(version='v3')}", 0), (f"Bearer {token(secret=b'other')}", 1)],
    ids=["another version", "another secret"],
)
def test_only_faults_of_tokens_of_our_version_are_counted(header: str, counted: int) -> None:
    def refusals() -> float:
        (family,) = metrics.authentication_errors.collect()
        return sum(sample.value for sample in family.samples)

    before = refusals()
    with pytest.raises(RpcError):
        verify(header, SECRET, NOW)
    assert refusals() - before == counted
