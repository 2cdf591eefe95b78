"""Telling languages apart by how often which tokens stand in samples of them (commit.md 4.2, strategy 8)."""

from __future__ import annotations

import json
import lzma
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from gitaly_py.detection.rules import tables
from gitaly_py.detection.rules.tokens import tokens


class _Samples(NamedTuple):
    """What is known of a language. samples: their number; total: tokens in them; tokens: how often each."""

    samples: int
    total: int
    tokens: Mapping[str, int]


def most_likely(candidates: Sequence[str], content: bytes) -> str:
    """The candidate that the content resembles most: naive Bayes over tokens; the first if none is known."""
    known = [name for name in candidates if name in _samples()]
    if len(known) < 2:
        return (known or candidates)[0]
    counts = Counter(tokens(content))
    return max(known, key=lambda name: _likelihood(_samples()[name], counts))


def _likelihood(samples: _Samples, counts: Mapping[str, int]) -> float:
    """The logarithm of the probability of such a file in the language, up to what all languages share."""
    unseen = -math.log(_all_tokens())
    likelihood = math.log(samples.samples)
    for token, count in counts.items():
        seen = samples.tokens.get(token)
        likelihood += count * (math.log(seen / samples.total) if seen else unseen)
    return likelihood


@cache
def _samples() -> Mapping[str, _Samples]:
    return {name: _Samples(*facts) for name, facts in _table()["languages"].items()}


@cache
def _all_tokens() -> int:
    total: int = _table()["tokens"]
    return total


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(lzma.decompress(tables.read("samples.json.xz")))
    return table
