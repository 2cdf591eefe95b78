from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from gitaly_py.storage.tar import END, Kind, header, padding

PARTS = st.binary(min_size=1, max_size=120).filter(lambda part: b"\0" not in part and b"/" not in part)
NAMES = st.lists(PARTS, min_size=1, max_size=5).map(b"/".join)


def members(archive: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive), encoding="utf-8", errors="surrogateescape") as opened:
        return opened.getmembers()


def encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


@given(NAMES, st.binary(max_size=2000), st.integers(0, 0o7777), st.integers(-(2**40), 2**40))
def test_a_file_is_read_back_as_it_was(name: bytes, content: bytes, mode: int, mtime: int) -> None:
    start = header(name, Kind.FILE, mode=mode, size=len(content), mtime=mtime)
    archive = start + content + padding(len(content)) + END

    assert len(archive) % 512 == 0
    (found,) = members(archive)
    assert (encoded(found.name), found.mode, found.mtime, found.type) == (name, mode, mtime, b"0")
    with tarfile.open(fileobj=io.BytesIO(archive), encoding="utf-8", errors="surrogateescape") as opened:
        file = opened.extractfile(opened.getmembers()[0])
        assert file is not None
        assert file.read() == content


@given(NAMES, NAMES)
def test_a_link_leads_where_it_did(name: bytes, target: bytes) -> None:
    (found,) = members(header(name, Kind.LINK, mode=0o777, target=target) + END)

    assert (encoded(found.name), encoded(found.linkname), found.type) == (name, target, b"2")


@given(NAMES)
def test_a_folder_is_one(name: bytes) -> None:
    (found,) = members(header(name + b"/", Kind.FOLDER, mode=0o755) + END)

    assert (encoded(found.name), found.isdir(), found.size) == (name, True, 0)


def test_nobody_owns_an_entry() -> None:
    (found,) = members(header(b"a", Kind.FILE, mode=0o644) + END)

    assert (found.uid, found.gid, found.uname, found.gname) == (0, 0, "", "")


def test_a_file_may_have_more_bytes_than_octal_digits_can_say() -> None:
    size = 9 * 1024**3
    found = tarfile.TarInfo.frombuf(header(b"a", Kind.FILE, mode=0o644, size=size), "utf-8", "strict")

    assert found.size == size
