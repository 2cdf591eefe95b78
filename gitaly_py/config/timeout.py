"""`[timeout]`: how long clients may take to negotiate."""

from __future__ import annotations

from typing import Annotated

from gitaly_py.config.duration import Duration, zero_means
from gitaly_py.config.section import Section, setting


class Timeout(Section):
    """`[timeout]`."""

    upload_pack_negotiation: Annotated[Duration, zero_means("10m")] = setting(
        Duration.parse("10m"), "Time a fetch may take until its pack begins; 0 is the default."
    )
    upload_archive_negotiation: Annotated[Duration, zero_means("1m")] = setting(
        Duration.parse("1m"),
        "Time an archive may take to begin; 0 is the default.",
    )
