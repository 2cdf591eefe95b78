"""Which language a file is written in (commit.md 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.detection.rules import tables
from gitaly_py.detection.rules.modelines import mode
from gitaly_py.detection.rules.shebangs import interpreter
from gitaly_py.detection.rules.strategies import language_of
from gitaly_py.detection.rules.tokens import tokens


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("x.RB", b"x\n", "Ruby"),
        ("a.b/c.html.erb", b"x\n", "HTML+ERB"),
        ("x.rb.unknown", b"x\n", None),
        ("dir.rb/x", b"x\n", None),
        ("a/GNUmakefile", b"x\n", "Makefile"),
        ("gnumakefile", b"x\n", None),
        ("x.c", b"\0", None),
        ("x.c", b"x" * 8000 + b"\0", "C"),
        ("x.c", b"", "C"),
        ("x.rb", b"#!/usr/bin/python\n", "Python"),
        ("x.rb", b"#!/usr/bin/python\n# vim: ft=perl\n", "Perl"),
        ("Makefile", b"#!/usr/bin/python\n", "Makefile"),
        ("x.rb", b"# vim: ft=nonsense\n", "Ruby"),
        ("x.unknown", b"\n<?xml version=", "XML"),
        ("x.unknown", b"\n\n<?xml version=", None),
        ("x.3pm", b"text\n", "Roff"),
        ("x.1.in", b".TH x\n", "Roff"),
        ("x.msg", b"message M\n{\n}\n", "OMNeT++ MSG"),
        ("x.php", b"<?hh\n", "Hack"),
        ("x.php", b"<?php\n", "PHP"),
        ("x.yml", b"a: b\n", "YAML"),
        ("x.cfg", b"[a]\nb = c\n", "INI"),
    ],
)
def test_the_first_strategy_with_one_answer_decides(path: str, content: bytes, language: str | None) -> None:
    assert language_of(path.encode(), content) == language


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"#!/bin/bash\n", "bash"),
        (b"#!  /usr/bin/perl  -w\n", "perl"),
        (b"#!/usr/bin/env python3.11\n", "python3"),
        (b"#!/usr/bin/env -S A=1 B=2 node --x\n", "node"),
        (b"#!/usr/bin/env -i\n", None),
        (b"#!\n", None),
        (b" #!/bin/sh\n", None),
        (b"", None),
        (b"#!/usr/bin/osascript -l JavaScript\n", None),
        (b"#!/usr/bin/osascript\n", "osascript"),
        (b'#!/bin/sh\n# x\nexec scheme "$0" "$@"\n', "scheme"),
        (b'#!/bin/sh\n\n\n\n\nexec scheme "$0" "$@"\n', "sh"),
        (b'#!/bin/bash\nexec scheme "$0" "$@"\n', "bash"),
    ],
)
def test_scripts_name_their_interpreter(content: bytes, name: str | None) -> None:
    assert interpreter(content) == name


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"# -*- mode: ruby -*-", "ruby"),
        (b"/* -*- C++ -*- */", "C++"),
        (b"; -*- tab-width: 2; mode: scheme; x: y -*-", "scheme"),
        (b"# -*- coding: utf-8 -*-", None),
        (b"# vim: set ft=perl:", "perl"),
        (b"# vim: ft=perl ts=4", "perl"),
        (b"# vi: se filetype=c :", "c"),
        (b"/* ex: syntax=java */", "java"),
        (b"# vim600: ft=tcl", "tcl"),
        (b"# vim: ft=perl:syntax=perl", "perl"),
        (b"# vim: ft=perl:syntax=ruby", None),
        (b"# vim: ts=4", None),
        (b"vim is an editor: ft=perl", None),
        (b"# vim: ft=perl\n# vim: ft=ruby", "ruby"),
        (b"# -*- c -*-\n# vim: ft=ruby", "c"),
        (b"x\n" * 5 + b"# vim: ft=c\n" + b"x\n" * 5, None),
        (b"x\n" * 4 + b"# vim: ft=c\n" + b"x\n" * 50, "c"),
        (b"x\n" * 50 + b"# vim: ft=c\n" + b"x\n" * 3, "c"),
        (b"x\n" * 4 + b"# vim: ft=c\n" + b"x\n" * 4, "c"),
    ],
)
def test_modelines_name_a_mode(content: bytes, name: str | None) -> None:
    assert mode(content) == name


def test_aliases_find_languages() -> None:
    aliases = tables.names().aliases

    for text in ("C++", "cpp", "c++", "CPP,extra"):
        assert aliases[tables.alias_key(text)] == "C++"
    assert aliases[tables.alias_key("SSH Config")] == "SSH Config"
    for name in tables.languages():
        assert aliases[tables.alias_key(name)] == name


def test_tokens_leave_out_strings_numbers_and_comments() -> None:
    program = (
        b"#!/usr/bin/env python3\n# said\nint x = 10; // y\n"
        b'/* many\nlines */ f(-"s\\"t", \'c\', 0x1F, a.b)\n"""d"""\n'
    )
    assert list(tokens(program)) == [
        *("SHEBANG#!python", "COMMENT#", "int", "x", "=", ";", "//", "y", "COMMENT/*"),
        *("f", "(", "-", ",", ",", ",", "a", ".b", ")", 'COMMENT"""'),
    ]


@given(st.binary(max_size=500))
def test_any_content_has_tokens_of_bounded_length(content: bytes) -> None:
    found = list(tokens(content))

    assert all(0 < len(token) <= 16 or token.startswith("SHEBANG#!") for token in found)
    assert len(found) <= len(content)


@given(st.binary(max_size=40), st.binary(max_size=300))
def test_any_file_has_a_known_language_or_none(path: bytes, content: bytes) -> None:
    language = language_of(path, content)

    assert language is None or language in tables.languages()
