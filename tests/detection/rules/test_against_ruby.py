"""Our rules against those of GitHub Linguist and licensee, which are others' and older."""

from __future__ import annotations

from gitaly_py.detection.rules import licenses
from gitaly_py.detection.rules.paths import is_documentation, is_vendored
from gitaly_py.detection.rules.strategies import language_of
from tests.support.detection import licensee, linguist

FILES = [
    ("a.c", "int main(void) { return 0; }\n"),
    ("a.h", "int f(int);\n"),
    ("b.h", "class A { public: std::string s; };\n"),
    ("c.h", "@interface A : NSObject\n@end\n"),
    ("a.m", "#import <Foundation/Foundation.h>\n@implementation A\n@end\n"),
    ("b.m", "function y = f(x)\n% twice\ny = 2 * x;\nend\n"),
    ("a.pl", "use strict;\nmy $x = 1;\n"),
    ("b.pl", "parent(X, Y) :- father(X, Y).\n"),
    ("a.t", "use Test::More;\nok(1);\n"),
    ("a.rs", "use std::io;\nfn main() {}\n"),
    ("a.ts", "const x: number = 1;\n"),
    ("b.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n<TS version="2.1"></TS>\n'),
    ("a.v", "module a(input b);\nendmodule\n"),
    ("a.sql", "SELECT 1;\n"),
    ("b.sql", "CREATE TABLE `film` (\n `id` SMALLINT UNSIGNED NOT NULL,\n PRIMARY KEY (`id`)\n);\n"),
    ("a.inc", "<?php\necho 1;\n"),
    ("a.cfg", "[section]\nkey = value\n"),
    ("a.pro", "TEMPLATE = app\nHEADERS = a.h\nSOURCES = a.cpp\n"),
    ("a.pp", "class a {\n  package { 'x': ensure => installed }\n}\n"),
    ("a.r", "x <- c(1, 2)\n"),
    ("a.cls", "\\NeedsTeXFormat{LaTeX2e}\n"),
    ("a.d", "import std.stdio;\nvoid main() { writeln(1); }\n"),
    ("a.l", "%{\n#include <stdio.h>\n%}\n%%\n"),
    ("a.asc", "= Title\n\nText.\n"),
    ("a.gd", "extends Node\nfunc _ready():\n\tpass\n"),
    ("a.fs", "module A\nlet x = 1\n"),
    ("a.ms", ".TH a 1\n.SH NAME\n"),
    ("a.1", '.TH A 1 "today"\n.SH NAME\na \\- b\n'),
    ("a.md", "# Title\n"),
    ("a.php", "<?php echo 1;\n"),
    ("a.html", "<!DOCTYPE html>\n<p>x</p>\n"),
    ("a.tsx", "export const A = () => <p/>;\n"),
    ("a.js", "let x = 1;\n"),
    ("a.blade.php", "@if (true)\n@endif\n"),
    ("a.html.erb", "<%= 1 %>\n"),
    ("a.json", "{}\n"),
    ("a.xml", "<a/>\n"),
    ("Makefile", "all:\n"),
    ("Dockerfile", "FROM scratch\n"),
    ("CMakeLists.txt", "project(x)\n"),
    ("Rakefile", "task :x\n"),
    (".bashrc", "x=1\n"),
    ("BUILD.bazel", "x()\n"),
    ("go.mod", "module x\n"),
    ("script", "#!/usr/bin/env python3\n"),
    ("script2", "#! /bin/sh -e\n"),
    ("script3", "#!/usr/bin/env -S A=1 node --x\n"),
    ("script4", "#!/usr/bin/perl5.30 -w\n"),
    ("script5", '#!/bin/sh\nexec tclsh "$0" "$@"\n'),
    ("modeline", "x\n/* vim: set filetype=ruby: */\n"),
    ("modeline2", "// -*- c++ -*-\n"),
    ("modeline3", "; -*- mode: scheme; tab-width: 2 -*-\n"),
    ("a.txt", "vim: set ft=perl ts=4:\n"),
    ("unknown", "text\n"),
    ("a.unknown", "text\n"),
    ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>\n'),
    ("noext", '<?xml version="1.0"?>\n<a/>\n'),
    ("docs/a.rb", "x\n"),
    ("Documentation/a.rb", "x\n"),
    ("examples/a.rb", "x\n"),
    ("lib/examples/a.rb", "x\n"),
    ("LICENSE.md", "x\n"),
    ("CHANGELOG", "x\n"),
    ("vendor/a.rb", "x\n"),
    ("a/vendor/b.rb", "x\n"),
    ("third-party/a.c", "x\n"),
    ("node_modules/a.js", "x\n"),
    ("jquery-3.1.js", "x\n"),
    ("a.min.js", "x\n"),
    ("dist/a.js", "x\n"),
    ("extern/a.c", "x\n"),
    (".github/x.yml", "x\n"),
    ("testdata/a.go", "x\n"),
    ("debian/rules", "#!/usr/bin/make -f\n"),
]


def test_files_are_taken_for_what_linguist_takes_them_for() -> None:
    theirs = linguist(FILES)

    ours = [
        (
            language_of(path.encode(), content.encode()),
            is_documentation(path.encode()),
            is_vendored(path.encode()),
        )
        for path, content in FILES
    ]
    assert {file[0]: answer for file, answer in zip(FILES, ours, strict=True)} == {
        file[0]: answer for file, answer in zip(FILES, theirs, strict=True)
    }


def test_licensees_texts_are_found_by_its_keys() -> None:
    texts = licensee()
    assert len(texts) >= 40

    found = {}
    for key, text in texts.items():
        matches = licenses.matches(text)
        found[key] = min(matches, key=lambda name: (-matches[name], name)).lower()

    assert found == {key: key for key in texts} | {"gpl-3.0": "gpl-3.0+"}
