"""All .gitattributes of a tree as one file (diff-conflicts.md 12)."""

from __future__ import annotations

import os
from pathlib import Path

from gitaly_py.git.wire.attributes import merge_attributes
from tests.support.repositories import Repo

FILES = {
    b"": b"""\xef\xbb\xbf# comment
*.bin binary
  *.txt   text\tdiff=first\r
[attr]mine -diff custom=1
"with space" custom
*.mine mine
/top custom=top
sub/name custom=path

!negative custom
overridden custom=root
""",
    b"sub": b"""*.txt diff=second
/top custom=sub
deep/x custom
[attr]nested -diff
*.nested nested
!negative custom
"quo\\"te d" custom
# no
\\#hash custom
overridden custom=sub
onlydir/ custom
**/any custom=any
""",
    b"sub/deep": b"overridden custom=deep\n*.txt !diff\nx -custom\n",
    b"odd [*]\\ \xff": b"*.txt custom=odd\n",
    b"#folder": b"x custom\n",
    b"!folder": b"x custom\n*.txt custom=folder\n",
}
NAMES = [
    b"a.bin", b"a.txt", b"with space", b"x.mine", b"top", b"name", b"overridden", b"negative", b"x", b"#hash",
    b'quo"te d', b"a.nested", b"any", b"onlydir/file", b"more/any", b"more/a.txt", b"name/a.bin",
]  # fmt: skip
FOLDERS = [
    b"",
    b"sub/",
    b"sub/deep/",
    b"sub/deep/down/",
    b"odd [*]\\ \xff/",
    b"#folder/",
    b"!folder/",
    b"other/sub/",
]


def test_git_finds_in_the_merged_file_what_it_finds_in_all_of_them(tmp_path: Path) -> None:
    tree = Repo.init(tmp_path / "tree", bare=False)
    bare = Repo.init(tmp_path / "bare.git")
    for folder, content in FILES.items():
        path = os.path.join(os.fsencode(tree.path), folder)
        os.makedirs(path, exist_ok=True)
        Path(os.fsdecode(path), ".gitattributes").write_bytes(content)
    paths = b"\0".join(folder + name for folder in FOLDERS for name in NAMES)
    merged = tmp_path / "merged"
    merged.write_bytes(merge_attributes(FILES.items()))
    check = ["check-attr", "-z", "--stdin", "diff", "text", "custom", "binary"]

    expected = tree.git_bytes(f"--work-tree={tree.path}", *check, stdin=paths)
    found = bare.git_bytes("-c", f"core.attributesFile={merged}", *check, stdin=paths)

    assert found.split(b"\0") == expected.split(b"\0")
    values = expected.split(b"\0")[2::3]
    assert {b"first", b"second", b"unset", b"odd", b"deep", b"any", b"top", b"path"} <= set(values)
