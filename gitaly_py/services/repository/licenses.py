"""FindLicense (repository.md)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence

from gitaly_py.detection.interface import LicenseFile, LicenseMatch
from gitaly_py.git.reading.errors import HeadUnreadable, ObjectNotFound
from gitaly_py.git.reading.interface import Reader
from gitaly_py.pb.repository_pb2 import FindLicenseRequest, FindLicenseResponse
from gitaly_py.services.app import Call
from gitaly_py.services.repository.license_files import license_files
from gitaly_py.services.repository.service import service

_KEPT = 100
"""Commits whose license is kept."""

_USUAL_NAME = re.compile(rb"(?:(?:un)?licen[sc]e|copying)(?:\.md|\.txt|\.html|\.rst)?", re.IGNORECASE)

_NICKNAMES = {
    "agpl-3.0": "GNU AGPLv3",
    "bsd-3-clause-clear": "Clear BSD",
    "gpl-2.0": "GNU GPLv2",
    "gpl-3.0": "GNU GPLv3",
    "lgpl-2.1": "GNU LGPLv2.1",
    "lgpl-3.0": "GNU LGPLv3",
    "ncsa": "UIUC/NCSA",
    "odbl-1.0": "ODbL",
}

_known: OrderedDict[str, FindLicenseResponse] = OrderedDict()


@service.rpc()
async def find_license(call: Call, request: FindLicenseRequest) -> FindLicenseResponse:
    """The license that the commit of HEAD stands under, by the texts in its root."""
    reader = call.repository.reader()
    commit = await _head(reader)
    if commit is None:
        return FindLicenseResponse()
    if commit not in _known:
        # What is kept goes for other repositories, too, and so must not come of a damaged one.
        if await reader.info(commit.encode() + b"^{tree}") is None:
            raise ObjectNotFound(commit)
        files = [file async for file in license_files(reader, commit)]
        matches = await call.app.licenses.matches(files) if files else ()
        _known[commit] = _response(files, matches)
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    _known.move_to_end(commit)
    return _known[commit]


async def _head(reader: Reader) -> str | None:
    """The commit of HEAD, None if that is no commit."""
    try:
        head = await reader.head()
    except HeadUnreadable:
        return None
    if head.oid is None or await reader.info(head.oid.encode() + b"^{commit}") is None:
        return None
    return head.oid


def _response(files: Sequence[LicenseFile], matches: Sequence[LicenseMatch]) -> FindLicenseResponse:
    if not matches:
        return _unknown(files[0]) if files else FindLicenseResponse()
    named = [match for match in matches if match.name]
    if not named:
        return FindLicenseResponse()
    best = min(named, key=_order)
    short = best.id.lower()
    return FindLicenseResponse(
        license_short_name=short,
        license_name=best.name,
        license_url=best.url,
        license_path=_text(best.file),
        license_nickname=_NICKNAMES.get(short, ""),
    )


def _unknown(file: LicenseFile) -> FindLicenseResponse:
    return FindLicenseResponse(
        license_short_name="other",
        license_name="Other",
        license_path=_text(file),
        license_nickname="LICENSE",
    )


def _order(match: LicenseMatch) -> tuple[bool, float, str]:
    """The best one first."""
    return _USUAL_NAME.fullmatch(match.file.name) is None, -match.confidence, match.id


def _text(file: LicenseFile) -> str:
    """Its path; the field takes no bytes that are not UTF-8."""
    return file.name.decode("utf-8", "replace")
