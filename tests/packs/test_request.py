"""What a pack is asked for with (transport.md 7.2, 7.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitaly_py.git.repository import GitRepository
from gitaly_py.packs.errors import InvalidPackObjectsCommand
from gitaly_py.packs.request import PackRequest

REQUEST = PackRequest(
    GitRepository("/s/a.git", "/s/a.git/q", ("/s/a.git/objects",)),
    "default:a.git",
    1,
    ("pack-objects", "--revs", "--stdout"),
    b"1234\n--not\n\n",
)


@pytest.mark.parametrize(
    ("change"),
    [
        {"repository": GitRepository("/s/b.git", "/s/a.git/q", ("/s/a.git/objects",))},
        {"repository": GitRepository("/s/a.git", None, ("/s/a.git/objects",))},
        {"repository": GitRepository("/s/a.git", "/s/a.git/q")},
        {"repository": GitRepository("/s/a.git", "/s/a.git/objects", ("/s/a.git/q",))},
        {"place": "other:a.git"},
        {"generation": 2},
        {"args": ("pack-objects", "--revs", "--stdout", "--thin")},
        {"args": ("pack-objects", "--revs --stdout")},
        {"stdin": b"1234\n--not\n1234\n\n"},
        {"stdin": b""},
    ],
    ids=str,
)
def test_whatever_changes_the_pack_changes_the_key(change: dict[str, Any]) -> None:
    assert replace(REQUEST, **change).key != REQUEST.key


def test_equal_requests_have_one_key() -> None:
    assert len(REQUEST.key) == 64
    assert replace(REQUEST).key == REQUEST.key


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("pack-objects --stdout", "pack-objects --stdout"),
        ("pack-objects --revs --thin --stdout", "pack-objects --stdout --revs --thin"),
        ("pack-objects --stdout --filter=blob:none", "pack-objects --stdout --filter=blob:none"),
    ],
)
def test_upload_packs_command_is_run_as_it_is(args: str, line: str) -> None:
    command = replace(REQUEST, args=tuple(args.split())).command()
    assert command.arguments() == [part.encode() for part in line.split()]
    assert command.global_flags == ()


def test_the_empty_shallow_file_stands_before_the_command() -> None:
    args = ("--shallow-file", "", "pack-objects", "--revs", "--stdout", "--shallow")
    command = replace(REQUEST, args=args).command()
    assert command.arguments() == [b"pack-objects", b"--stdout", b"--revs", b"--shallow"]
    assert command.global_flags == ("--shallow-file", "")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "[]: missing pack-objects"),
        (("upload-pack", "--stdout"), "[upload-pack --stdout]: missing pack-objects"),
        (
            ("--shallow-file", "/etc/passwd", "pack-objects", "--stdout"),
            "[--shallow-file /etc/passwd pack-objects --stdout]: missing pack-objects",
        ),
        (("--shallow-file", ""), "[--shallow-file ]: missing pack-objects"),
        (("-c", "x=y", "pack-objects", "--stdout"), "[-c x=y pack-objects --stdout]: missing pack-objects"),
        (("pack-objects", "--stdout", "x"), "[pack-objects --stdout x]: non-flag argument"),
        (("pack-objects", "x", "--revs"), "[pack-objects x --revs]: non-flag argument"),
        (("pack-objects", "--stdout", ""), "[pack-objects --stdout ]: non-flag argument"),
        (("pack-objects", "--revs"), "[pack-objects --revs]: missing --stdout"),
        (("pack-objects",), "[pack-objects]: missing --stdout"),
    ],
    ids=str,
)
def test_any_other_command_is_refused(args: tuple[str, ...], text: str) -> None:
    with pytest.raises(InvalidPackObjectsCommand) as refused:
        replace(REQUEST, args=args).command()
    assert str(refused.value) == f"invalid pack-objects command: {text}"
