"""`[logging]`: what is logged, and in which form."""

from __future__ import annotations

from gitaly_py.config.section import Section, setting

FORMATS = ("text", "json")
LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")


class Logging(Section):
    """`[logging]`."""

    format: str = setting("text", "`text` or `json`.")
    level: str = setting("info", "Least level that is logged: debug, info, warn, error, fatal or panic.")
    sentry_dsn: str = setting("", "Address of the Sentry project that gets errors. Not implemented.")
    sentry_environment: str = setting("", "Name of this environment in Sentry. Not implemented.")
