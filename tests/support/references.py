"""Repositories full of references of all kinds, and how git itself lists them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.support.repositories import EPOCH, Repo


class Listed(NamedTuple):
    """A reference as a client sees it. peeled: empty unless the target is a tag object."""

    name: bytes
    target: str
    peeled: str = ""


def varied(repo: Repo, *, packed: bool | None = None) -> Repo:
    """Fills `repo`: branches of several ages, tags of every kind, symbolic and dangling references.

    packed: all packed, all loose, or (None) the older ones packed and some of them changed since.
    """
    root = repo.commit("root\n", {"a": b"a"}, time=EPOCH + 50)
    old, young = (repo.commit(f"{time}\n", {}, [root], time=EPOCH + time) for time in (10, 90))
    author = b"An Author <author@example.com> %d +0200\n" % (EPOCH + 99)
    tree = repo.tree({"a": b"a"})
    swapped = repo.object(
        "commit",
        b"tree %s\nauthor %scommitter Someone <s@x> %d -0700\n\nswapped\n"
        % (tree.encode(), author, EPOCH + 5),
    )
    for name in ("main", "UPPER", "upper-not", "dir/one", "dir/two", "dirt", "feature-1", "v1.10", "v1.9"):
        repo.ref(f"refs/heads/{name}", root)
    repo.ref("refs/heads/old", old)
    repo.ref(b"refs/heads/not-utf8-\xff", young)
    repo.ref("refs/heads/same-age", young)
    repo.ref("refs/heads/swapped", swapped)
    repo.ref("refs/keep-around/" + root, root)
    repo.ref("refs/remotes/origin/main", old)
    repo.ref("refs/single", root)
    tag = repo.tag("annotated", root)
    nested = repo.tag("nested", tag, kind="tag")
    repo.tag("twice-nested", nested, kind="tag")
    repo.tag("no-tagger", root, tagger=None)
    repo.tag("blob", repo.blob(b"content"), None)
    repo.tag("annotated-blob", repo.blob(b"content"), kind="blob")
    repo.tag("tree", tree, None)
    for version in ("v1.0", "v1.2", "v1.10", "v1.2-rc1", "v9", "v10", "1.0", "V1"):
        repo.tag(version, root, None)
    if packed is not False:
        repo.git("pack-refs", "--all")
    if packed is None:
        repo.ref("refs/heads/main", young)
        repo.ref("refs/heads/a-loose-one", old)
        repo.tag("loose", root)
    repo.symref("refs/heads/symbolic", "refs/heads/old")
    repo.symref("refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.symref("refs/heads/dangling", "refs/heads/absent")
    write(repo, "refs/heads/garbage", "no object id\n")
    return repo


def write(repo: Repo, path: str, text: str) -> None:
    """Writes a file of the repository behind git's back."""
    Path(repo.git_dir, path).write_text(text)


def for_each_ref(repo: Repo, *arguments: str | bytes) -> list[Listed]:
    """The references that `git for-each-ref` lists, tags peeled to the end."""
    output = repo.git_bytes("for-each-ref", "--format=%(refname)%00%(objectname)%00%(objecttype)", *arguments)
    listed = []
    for line in output.splitlines():
        name, oid, kind = line.split(b"\0")
        peeled = repo.git("rev-parse", oid.decode() + "^{}") if kind == b"tag" else ""
        listed.append(Listed(name, oid.decode(), peeled))
    return listed
