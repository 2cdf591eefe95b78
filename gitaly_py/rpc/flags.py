"""Feature flags, which callers switch by headers (daemon.md 8)."""

from __future__ import annotations

from functools import cache
from typing import Final

from gitaly_py.config.environment import is_true
from gitaly_py.rpc.exchange import Metadata
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.call_metrics import CounterSeries

PREFIX: Final = "gitaly-feature-"

_ON: Final = frozenset({"gpg_signing", "mailmap_options", "ref_iterator", "limit_unauthenticated"})
"""Those that are on unless a caller says otherwise."""


def header_of(flag: str) -> str:
    """The metadata key that switches a flag."""
    return PREFIX + flag.replace("_", "-")


def is_enabled(metadata: Metadata, flag: str) -> bool:
    """Whether a flag is on for a call; counts that it was asked for."""
    key, default = _key(flag)
    enabled = metadata.first(key, default) == "true" or _all_are_on()
    _checks(flag, enabled).inc()
    return enabled


@cache
def _key(flag: str) -> tuple[str, str]:
    return header_of(flag), "true" if flag in _ON else "false"


@cache
def _all_are_on() -> bool:
    return is_true("GITALY_TESTING_ENABLE_ALL_FEATURE_FLAGS")


@cache
def _checks(flag: str, enabled: bool) -> CounterSeries:
    return metrics.feature_flag_checks.labels(flag, "true" if enabled else "false")
