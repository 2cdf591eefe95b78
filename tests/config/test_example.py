from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from gitaly_py.config import Config, parse
from gitaly_py.config.example import example
from gitaly_py.config.section import Section, key_of
from gitaly_py.config.unknown import section_in

FILE = Path(__file__).parents[2] / "config.toml.example"
TABLE = re.compile(r"(?:# )?\[+([a-z_.-]+)\]+")
KEY = re.compile(r"(?:# )?([a-z0-9_]+) = .*")


def sections(section: type[Section], prefix: str = "") -> Iterator[str]:
    """The dotted keys of a section and of those in it."""
    for name, field in section.model_fields.items():
        key = prefix + key_of(name, section)
        inner = section_in(field.annotation)
        yield from sections(inner, f"{key}.") if inner else (key,)


def test_the_example_explains_every_key() -> None:
    table, keys = "", []
    for line in FILE.read_text().splitlines():
        if header := TABLE.fullmatch(line):
            table = f"{header[1]}."
        elif assignment := KEY.fullmatch(line):
            keys.append(table + assignment[1])

    assert sorted(keys) == sorted(sections(Config))


def test_the_example_loads() -> None:
    config = parse(FILE.read_bytes())

    assert config.storage[0].name == "default"
    assert config.unknown_keys == ()


def test_the_example_shows_the_defaults() -> None:
    text = FILE.read_text()
    uncommented = re.sub(r"^# (\[+[a-z_.-]+\]+|[a-z0-9_]+ = .*)$", r"\1", text, flags=re.MULTILINE)
    shown, plain = parse(uncommented.encode()), parse(text.encode())

    assert shown.unknown_keys == ()
    optional = {"concurrency", "git", "pack_objects_limiting"}
    assert shown.model_dump(exclude=optional) == plain.model_dump(exclude=optional)


def test_the_example_is_what_the_models_say() -> None:
    assert FILE.read_text() == example(), (
        "write it anew: gitaly-py configuration example > config.toml.example"
    )


def test_every_key_is_described() -> None:
    lines = example().splitlines()
    undescribed = [
        line for before, line in pairwise(lines) if KEY.fullmatch(line) and not before.startswith("# ")
    ]

    assert undescribed == []
