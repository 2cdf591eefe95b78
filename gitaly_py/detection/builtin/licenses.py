"""The LicenseMatcher that is built in (repository.md FindLicense)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gitaly_py.detection.builtin.child import detecting
from gitaly_py.detection.interface import LicenseFile, LicenseMatch
from gitaly_py.git.process import Git


class BuiltInLicenses:
    """Compares with the texts of SPDX's list, in a child process for each question."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def matches(self, files: Sequence[LicenseFile]) -> Sequence[LicenseMatch]:
        """See LicenseMatcher."""
        found: list[LicenseMatch] = []
        async with detecting(self._git) as child:
            for file in files:
                answers = await child.ask(b"license", [file.name, file.content])
                found += [LicenseMatch(file, *json.loads(answer)) for answer in answers]
        return found
