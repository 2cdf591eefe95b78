#!/usr/bin/env python3
"""Makes gitaly_py/detection/data/licenses.json.xz from the SPDX license list.

Usage: make-license-data.py LIST OUTPUT [ID=FILE...]

LIST is a JSON object of licenses by their SPDX identifier, each with `name`, `url` (references, one a line)
and `licenseText`: spdx-full.json of the npm package spdx-license-list (CC0), whose 6.6.0 is close to SPDX's
list 3.17. ID=FILE adds another text that a license is found with, as choosealicense.com has it (in Debian's
ruby-licensee), in a file with or without a heading between lines of dashes: SPDX's CECILL-2.1 is in French,
its LGPL-3.0 contains the whole of GPL-3.0, its PostgreSQL names an owner. ID stands for its variants as well.
No text is kept, only how often which words stand in it, and words only as hashes.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from gitaly_py.detection.rules.licenses import word_hash
from gitaly_py.detection.rules.wording import words

_HEADING = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_MORE_URLS = {"MIT": [".mit-license.org"]}
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def main() -> None:
    """Writes the table; licenses of one text share it."""
    source: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    bags = {name: [Counter(words(facts["licenseText"]))] for name, facts in sorted(source.items())}
    for name, file in (argument.split("=", 1) for argument in sys.argv[3:]):
        bag = Counter(words(_HEADING.sub("", Path(file).read_text("utf-8"))))
        for variant in (name, name + "+", name + "-only", name + "-or-later"):
            if variant in bags:
                bags[variant].append(bag)
    vocabulary = sorted({word_hash(word) for several in bags.values() for bag in several for word in bag})
    numbers = {hashed: number for number, hashed in enumerate(vocabulary)}
    texts: list[dict[int, int]] = []
    licenses: dict[str, Any] = {}
    for name, several in bags.items():
        held = [{numbers[word_hash(word)]: count for word, count in bag.items()} for bag in several]
        texts += [text for text in held if text not in texts]
        licenses[name] = {
            "name": source[name]["name"].strip(),
            "urls": [*source[name].get("url", "").split(), *_MORE_URLS.get(name, ())],
            "texts": [texts.index(text) for text in held],
        }
    table = {
        "licenses": licenses,
        "vocabulary": _steps(vocabulary),
        "texts": [[_steps(sorted(text)), [text[word] for word in sorted(text)]] for text in texts],
    }
    packed = lzma.compress(
        json.dumps(table, separators=(",", ":")).encode(), lzma.FORMAT_XZ, filters=_FILTERS
    )
    Path(sys.argv[2]).write_bytes(packed)


def _steps(rising: list[int]) -> list[int]:
    """Each number as its distance from the one before, which packs better."""
    return [number - before for before, number in zip([0, *rising[:-1]], rising, strict=True)]


if __name__ == "__main__":
    main()
