"""The internal API of a daemon without a Rails app."""

from __future__ import annotations

from gitaly_py.rails.push import Access, PostReceiveAnswer, Push


class NoInternalApi:
    """Allows every push and has nothing to say about it.

    Stands in where no `[gitlab] url` is configured. The reference refuses to start then; a daemon that
    serves plain repositories has nobody to ask, and who holds its token may do anything anyway
    (daemon.md 10). Once a URL is configured, this is never a fallback: Rails being down refuses pushes.
    """

    enabled = False

    async def close(self) -> None:
        """Nothing to release."""

    async def allowed(self, push: Push) -> Access:  # noqa: ARG002
        """Always allowed."""
        return Access(allowed=True)

    async def pre_receive(self, push: Push) -> bool:  # noqa: ARG002
        """Always counted."""
        return True

    async def post_receive(self, push: Push) -> PostReceiveAnswer:  # noqa: ARG002
        """Always counted, no messages."""
        return PostReceiveAnswer(decreased=True)
