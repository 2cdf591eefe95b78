"""Histories in which everything happens that a walk may meet."""

from __future__ import annotations

from typing import Any

from tests.support.repositories import EPOCH, Entry, Repo

Files = dict[str | bytes, Entry]

MAILMAP = b"Ann Mapped <ann@example.com>\nBob Mapped <bob@new.example.com> <bob@example.com>\n"


def eventful(repo: Repo) -> dict[str, str]:
    """Commits by what happens in them; `main` and HEAD have all but `loose`, which no reference has.

    `side` is at the commit of that name, `unrelated` has a root of its own.
    """
    lines = b"".join(b"line %d\n" % number for number in range(20))
    files: Files = {"old": lines, "d/keep": b"1\n", b'odd \xff\n"': b"odd\n", "empty": b""}
    did = {"root": repo.commit("Root\n", files, author="Ann <ann@example.com>", ref="refs/heads/root")}

    def then(name: str, message: str | bytes, *more_parents: str, **options: Any) -> None:
        did[name] = repo.commit(message, files, [last[-1], *more_parents], **options)
        last.append(did[name])

    last = [did["root"]]
    files["new"] = files.pop("old")
    then("rename", "Rename old\n\nKey: value\nKey:  folded\n  line\nSigned-off-by: Bob <bob@example.com>\n")
    files["new"] = lines + b"more\n"
    then("change", "Change new\r\n", author="Bob <bob@example.com>", committer="Ann <ANN@example.com>")
    files["d/run"] = ("100755", b"#!/bin/sh\n")
    files["d/keep"] = ("100755", b"1\n")
    then("mode", b"J\xfcrgen's mode\n\nReviewed-by: J\xfcrgen\n", headers=b"encoding ISO-8859-1\n")
    files["link"] = ("120000", b"new")
    files["sub"] = ("160000", "1" * repo.format.hex_length)
    files["binary"] = b"\0\1\2" * 100
    then("entries", b"Entries \xff\xfe\n\nFix: yes\n")
    side = repo.commit("Side work\n", {**files, "side": b"s\n"}, [did["entries"]], ref="refs/heads/side")
    did["side"] = side
    did["second"] = repo.commit("Second root\n", {"second": b"2\n"}, ref="refs/heads/unrelated")
    files["side"] = b"s\n"
    then("merge", "Merge side\n", side)
    files["second"] = b"2\n"
    files["third"] = b"3\n"
    third = repo.commit("Third\n", {"third": b"3\n"}, [did["root"]])
    did["third"] = third
    then("octopus", "Merge two more\n", did["second"], third)
    then("nothing", "Change nothing\n")
    files["long"] = b"x" * 300_000
    del files["binary"]
    signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n"
    then("signed", "Signed, with a long line\n", headers=signature)
    files[".mailmap"] = MAILMAP
    files[".gitattributes"] = b"new -diff\n"
    then("map", "Map\n", ref="refs/heads/main")
    did["loose"] = repo.commit("Loose\n", {"loose": b"l\n"}, [did["map"]], time=EPOCH)
    repo.tag("v1", did["change"])
    repo.tag("v2", did["map"], message=None)
    repo.ref(b"refs/heads/odd/\xff", did["change"])
    repo.ref("refs/merge-requests/1/head", did["map"])
    return did
