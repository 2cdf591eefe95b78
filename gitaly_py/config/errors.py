"""What can be wrong with a configuration.

ConfigError
├── LoadError               the configuration could not be made out
│   ├── ConfigUnreadable    the file itself
│   ├── TomlError           its syntax, or the type of a value
│   ├── ConfigCommandError  the command that adds to it
│   └── TokenFileError      the file that auth.token_file names
└── InvalidConfig           it was made out, but nothing can be started with it
"""

from __future__ import annotations


class ConfigError(Exception):
    """Root of this tree."""


class LoadError(ConfigError):
    """The configuration could not be loaded."""


class ConfigUnreadable(LoadError):
    """The file `path` can't be read; the cause is `error`."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(path, error)
        self.path = path
        self.error = error

    def __str__(self) -> str:
        return f"open {self.path}: {os_reason(self.error)}"


class TomlError(LoadError):
    """The text is no TOML, or a value has a type its key does not take.

    line, column: position of the fault, from 1; both 0 when it is not known.
    path: keys, and numbers for entries of lists, that lead to the value at fault; empty when it is no value.
    further: the other values with a wrong type.
    """

    def __init__(
        self, reason: str, *, line: int = 0, column: int = 0, path: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(reason, line, column, path)
        self.reason = reason
        self.line = line
        self.column = column
        self.path = path
        self.further: tuple[TomlError, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The path without numbers."""
        return tuple(part for part in self.path if isinstance(part, str))

    @property
    def message(self) -> str:
        """The fault with its place, in the form that `configuration validate` prints."""
        place = f"line {self.line} column {self.column}: " if self.line else ""
        return f"{place}toml: {self.reason}"

    def __str__(self) -> str:
        return f"load toml: {self.message}"


class ConfigCommandError(LoadError):
    """The command of `config_command` failed, or printed something else than a JSON object."""


class TokenFileError(LoadError):
    """The file of `auth.token_file` can't be read, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"reading token file: {self.reason}"


class InvalidConfig(ConfigError):
    """The first fault that start-up validation found (daemon.md 1.2)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"invalid config: {self.message}"


def os_reason(error: OSError) -> str:
    """The operating system's reason alone, in lower case as operators of Gitaly know it."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
