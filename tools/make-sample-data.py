#!/usr/bin/env python3
"""Makes gitaly_py/detection/data/samples.json.xz from the statistics of GitHub Linguist's samples.

Usage: make-sample-data.py FOLDER OUTPUT

FOLDER holds samples.json and the languages.yml of the same version, as Debian's package ruby-github-linguist
has them in lib/linguist/. Only languages are kept that some name or extension does not tell from others, by
the names that gitaly_py/detection/data/languages.json has for their ids, and tokens that occur repeatedly.
Needs PyYAML.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

_LANGUAGES = Path(__file__).parent.parent / "gitaly_py" / "detection" / "data" / "languages.json"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
_FEWEST = 2


def main() -> None:
    """Writes the table: by language the number of samples, of tokens in them, and of each token."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    samples = json.loads((source / "samples.json").read_text("utf-8"))
    languages = json.loads(_LANGUAGES.read_text("utf-8"))
    names = {facts["id"]: name for name, facts in languages.items()}
    wanted = _ambiguous(languages)
    kept: dict[str, Any] = {}
    for old, facts in yaml.safe_load((source / "languages.yml").read_text("utf-8")).items():
        name = names.get(facts["language_id"])
        if name in wanted and old in samples["tokens"]:
            tokens = {token: count for token, count in samples["tokens"][old].items() if count >= _FEWEST}
            kept[name] = [samples["languages"][old], samples["language_tokens"][old], tokens]
    table = {"tokens": samples["tokens_total"], "languages": dict(sorted(kept.items()))}
    plain = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    output.write_bytes(lzma.compress(plain, lzma.FORMAT_XZ, filters=_FILTERS))


def _ambiguous(languages: dict[str, Any]) -> set[str]:
    """The languages that share a file name, an extension or an interpreter."""
    found: set[str] = set()
    for kind in ("filenames", "extensions", "interpreters"):
        holders: defaultdict[str, set[str]] = defaultdict(set)
        for name, facts in languages.items():
            for key in facts.get(kind, ()):
                holders[key.lower()].add(name)
        found |= {name for several in holders.values() if len(several) > 1 for name in several}
    return found


if __name__ == "__main__":
    main()
