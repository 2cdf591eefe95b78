"""Errors of hooks.

    HookError
    ├── PayloadError
    │   ├── PayloadMissing
    │   └── PayloadInvalid
    ├── InvalidHookCall         something a hook needs was not given
    ├── NotAllowed              Rails refused the push, or could not be asked
    ├── ApiFailed               another call of the internal API failed
    ├── Declined                Rails did not count the push; there is nothing to say
    ├── InvalidMessage          Rails sent a message that cannot be printed
    ├── CustomHookFailed        a custom hook ended with another status than 0
    └── CustomHookNotStarted    a custom hook is no program

`str()` is the text for whoever pushes (transport.md 8.3, 8.4).
"""

from __future__ import annotations

from gitaly_py.git.errors import describe_status


class HookError(Exception):
    """Root of everything this package raises. rate_limited: whether Rails answered 429."""

    rate_limited = False


class PayloadError(HookError):
    """`GITALY_HOOKS_PAYLOAD` cannot be used."""


class PayloadMissing(PayloadError):
    """The environment has no payload."""

    def __init__(self) -> None:
        super().__init__("no hooks payload found in environment")


class PayloadInvalid(PayloadError):
    """The payload is no base64 of a JSON document of its form."""


class InvalidHookCall(HookError):
    """Something is missing or malformed in what a hook was given."""


class NotAllowed(HookError):
    """Rails did not allow the push.

    message: Rails' text. user_id, protocol, changes: what was asked.
    """

    def __init__(self, message: str, user_id: str, protocol: str, changes: bytes) -> None:
        super().__init__(f"GitLab: {message}")
        self.message = message
        self.user_id = user_id
        self.protocol = protocol
        self.changes = changes


class ApiFailed(HookError):
    """A call other than the access check failed."""

    def __init__(self, prefix: str, reason: Exception, *, rate_limited: bool) -> None:
        super().__init__(f"{prefix}: {reason}")
        self.reason = reason
        self.rate_limited = rate_limited


class Declined(HookError):
    """Rails answered that it did not count the push."""

    def __init__(self) -> None:
        super().__init__("")


class InvalidMessage(HookError):
    """A message in Rails' answer has no known form."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(f"error writing messages to stream: {reason}")


class CustomHookFailed(HookError):
    """The custom hook at `path` ended with `status` (negative: the signal's number)."""

    def __init__(self, path: str, status: int) -> None:
        super().__init__(f'executing custom hooks: error executing "{path}": {describe_status(status)}')
        self.path = path
        self.status = status

    @property
    def exit_status(self) -> int:
        """The status to pass on; -1, hence 255 at the process, when a signal ended the hook."""
        return self.status if self.status >= 0 else -1


class CustomHookNotStarted(HookError):
    """The custom hook at `path` could not be executed; `reason` is the operating system's error."""

    def __init__(self, path: str, reason: OSError) -> None:
        why = (reason.strerror or str(reason)).lower()
        super().__init__(f'executing custom hooks: error executing "{path}": {why}')
        self.path = path
        self.reason = reason
