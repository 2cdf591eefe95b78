"""The configuration: a frozen model a section, loaded once and handed down in parts.

`load` makes it, `check_startup` says whether the daemon can start with it, `validate` lists what is wrong,
`notices` what is doubtful. Each consumer gets its section, never the whole tree.
"""

from gitaly_py.config.duration import Duration
from gitaly_py.config.errors import (
    ConfigCommandError,
    ConfigError,
    ConfigUnreadable,
    InvalidConfig,
    LoadError,
    TokenFileError,
    TomlError,
)
from gitaly_py.config.loading import load, parse
from gitaly_py.config.notices import notices
from gitaly_py.config.problems import Problem
from gitaly_py.config.startup import check_startup
from gitaly_py.config.tree import Config, UnknownKey
from gitaly_py.config.validation import validate

__all__ = [
    "Config",
    "ConfigCommandError",
    "ConfigError",
    "ConfigUnreadable",
    "Duration",
    "InvalidConfig",
    "LoadError",
    "Problem",
    "TokenFileError",
    "TomlError",
    "UnknownKey",
    "check_startup",
    "load",
    "notices",
    "parse",
    "validate",
]
