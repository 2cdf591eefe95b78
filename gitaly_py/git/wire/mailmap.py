"""gitmailmap(5): canonical names and addresses of authors (commit.md 1.7)."""

from __future__ import annotations

from typing import NamedTuple

from gitaly_py.git.wire.ident import Ident

_BLANKS = b" \t\n\r\v\f"


class _Replacement(NamedTuple):
    name: bytes | None
    email: bytes | None


class Mailmap:
    """A parsed mailmap. Lines that cannot be used are skipped, and later ones win, as in git."""

    def __init__(self, data: bytes = b"") -> None:
        self._by_email: dict[bytes, _Replacement] = {}
        self._by_name: dict[tuple[bytes, bytes], _Replacement] = {}
        for line in data.split(b"\n"):
            if not line.startswith(b"#"):
                self._add(line)

    def __bool__(self) -> bool:
        return bool(self._by_email or self._by_name)

    def apply(self, ident: Ident) -> Ident:
        """`ident` with name and address replaced where the map has something for it."""
        if ident.email is None:
            return ident
        email, name = ident.email.lower(), ident.name.rstrip(_BLANKS)
        found = self._by_name.get((email, name.lower())) or self._by_email.get(email)
        if found is None:
            return ident
        if found.name is not None:
            name = found.name
        return ident._replace(name=name, email=ident.email if found.email is None else found.email)

    def _add(self, line: bytes) -> None:
        first = _person(line, empty_email=False)
        if first is None:
            return
        new_name, new_email, rest = first
        second = _person(rest, empty_email=True)
        if second is None:
            self._set_plain(new_email, _Replacement(new_name, None))
            return
        old_name, old_email, _ = second
        if old_name is None:
            self._set_plain(old_email, _Replacement(new_name, new_email))
        else:
            key = (old_email.lower(), old_name.lower())
            self._by_name[key] = _Replacement(new_name, new_email)

    def _set_plain(self, email: bytes, new: _Replacement) -> None:
        old = self._by_email.get(email.lower(), _Replacement(None, None))
        name = old.name if new.name is None else new.name
        self._by_email[email.lower()] = _Replacement(name, old.email if new.email is None else new.email)


def _person(text: bytes, *, empty_email: bool) -> tuple[bytes | None, bytes, bytes] | None:
    """Name (None when empty), address, and what follows; None when there is no `<...>`."""
    name, found, rest = text.partition(b"<")
    email, closed, rest = rest.partition(b">")
    if not found or not closed or (not email and not empty_email):
        return None
    return name.strip(_BLANKS) or None, email, rest
