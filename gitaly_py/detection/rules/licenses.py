"""Comparing a text with those of the SPDX licenses (repository.md FindLicense)."""

from __future__ import annotations

import json
import lzma
import math
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

from gitaly_py.detection.rules import tables
from gitaly_py.detection.rules.wording import parts, words

ENOUGH = 0.75
"""The similarity from which on a text is taken for a license's, and the least confidence worth telling."""

_COMPARABLE = 0.6
"""The least ratio of weights at which a confidence worth telling is possible at all."""

_LATER = 1e-6
"""What decides for "or any later version" where a text is the same with and without: Gitaly takes a GPL that
stands below other text, such as Linux' COPYING, for that (repository.md)."""

_LEGALCODE = "/legalcode"


class License(NamedTuple):
    """A license of the SPDX list. urls: its references, the first being the one that is shown."""

    id: str
    name: str
    urls: Sequence[str]


class _Text(NamedTuple):
    """How often which words stand in a text. length: words in all; weight: of them together."""

    counts: Mapping[int, int]
    length: int
    weight: float
    licenses: Sequence[str]


class _Corpus(NamedTuple):
    """What texts are compared with. texts: by rising weight. rarity: the weight of each word."""

    licenses: Mapping[str, License]
    texts: Sequence[_Text]
    rarity: Mapping[int, float]


def word_hash(word: str) -> int:
    """What is kept of a word."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def licenses() -> Mapping[str, License]:
    """Every license by its identifier."""
    return _corpus().licenses


def matches(text: str, also: str = "") -> dict[str, float]:
    """The licenses that the text is, or holds in a part of it, or refers to, with the confidence in each.

    also: more text in which references are looked for.
    """
    found = dict(_compared(text))
    for part in parts(text):
        for name, confidence in _compared(part):
            more = _LATER if name.endswith("+") else 0
            found[name] = max(confidence + more, found.get(name, 0))
    for name in _referred(text + "\n" + also):
        found[name] = max(found.get(name, 1.0), ENOUGH)
    if any(confidence >= ENOUGH for confidence in found.values()):
        return {name: confidence for name, confidence in found.items() if confidence >= ENOUGH}
    return found


def _compared(piece: str) -> Iterator[tuple[str, float]]:
    corpus = _corpus()
    counts = Counter(map(word_hash, words(piece)))
    length = counts.total()
    weight = sum(corpus.rarity.get(word, 0.0) * count for word, count in counts.items())
    # Texts of very different weight are not alike whatever they say.
    first = bisect_left(corpus.texts, weight * _COMPARABLE, key=_weight)
    last = bisect_right(corpus.texts, weight / _COMPARABLE, key=_weight)
    for text in corpus.texts[first:last]:
        common, shared = _common(counts, text, corpus)
        confidence = 1 - (length + text.length - 2 * common) / text.length
        if confidence >= ENOUGH or shared >= ENOUGH * (weight + text.weight - shared):
            for name in text.licenses:
                yield name, max(0.0, confidence)


def _weight(text: _Text) -> float:
    return text.weight


def _common(counts: Mapping[int, int], text: _Text, corpus: _Corpus) -> tuple[int, float]:
    """How many words both have, and what these weigh."""
    common, shared = 0, 0.0
    for word, count in text.counts.items():
        both = min(count, counts.get(word, 0))
        if both:
            common += both
            shared += both * corpus.rarity[word]
    return common, shared


def _referred(text: str) -> Iterator[str]:
    for name, known in licenses().items():
        if any(_address(name, url) in text for url in known.urls):
            yield name


def _address(name: str, url: str) -> str:
    """What of a reference is looked for: whatever the scheme, and the deeds of Creative Commons as well."""
    address = url[max(0, url.find("://")) :]
    return address.removesuffix(_LEGALCODE) if name.startswith("CC") else address


@cache
def _corpus() -> _Corpus:
    table = json.loads(lzma.decompress(tables.read("licenses.json.xz")))
    vocabulary = list(accumulate(table["vocabulary"]))
    bags = [_bag(vocabulary, *packed) for packed in table["texts"]]
    holders = Counter(word for bag in bags for word in bag)
    rarity = {word: 1 + math.log(len(bags) / count) for word, count in holders.items()}
    by_text: dict[int, list[str]] = {}
    for name, facts in table["licenses"].items():
        for number in facts["texts"]:
            by_text.setdefault(number, []).append(name)
    texts = [
        _Text(
            bag, sum(bag.values()), sum(rarity[word] * count for word, count in bag.items()), by_text[number]
        )
        for number, bag in enumerate(bags)
    ]
    return _Corpus(_licenses(table["licenses"]), sorted(texts, key=_weight), rarity)


def _bag(vocabulary: Sequence[int], steps: Sequence[int], counts: Sequence[int]) -> dict[int, int]:
    return {vocabulary[number]: count for number, count in zip(accumulate(steps), counts, strict=True)}


def _licenses(table: Mapping[str, Any]) -> dict[str, License]:
    return {name: License(name, facts["name"], facts["urls"]) for name, facts in table.items()}
