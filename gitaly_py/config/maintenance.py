"""`[daily_maintenance]`: when all repositories are optimised."""

from __future__ import annotations

from gitaly_py.config.duration import Duration
from gitaly_py.config.section import Section, setting, several


class DailyMaintenance(Section):
    """`[daily_maintenance]`; left out altogether it means 10 minutes from 12:00, all storages."""

    start_hour: int = setting(0, "Hour of local time at which it starts, 0 to 23.")
    start_minute: int = setting(0, "Minute at which it starts, 0 to 59.")
    duration: Duration = setting(Duration(0), "How long it may go on, at most 24h; 0 disables it.")
    storages: tuple[str, ...] = several("Names of the storages to go through.")
    disabled: bool = setting(False, "Never run it.")
