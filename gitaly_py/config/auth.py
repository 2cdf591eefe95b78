"""`[auth]`: the secret that clients prove to know."""

from __future__ import annotations

from pydantic import PrivateAttr

from gitaly_py.config.section import Section, setting


class Auth(Section):
    """`[auth]`; `secret` is what consumers want, wherever it was written."""

    token: str = setting("", "Secret shared with clients; without one everything is accepted.", secret=True)
    token_file: str = setting("", "File that holds the secret, of mode 0600 or 0400; instead of `token`.")
    transitioning: bool = setting(False, "Check tokens and count the results, but let every request pass.")

    _from_file: str = PrivateAttr("")

    @property
    def secret(self) -> str:
        """The shared secret; empty when authentication is off."""
        return self.token or self._from_file

    def with_secret_of_file(self, secret: str) -> Auth:
        """This section once `token_file` has been read."""
        section = self.model_copy()
        section._from_file = secret  # noqa: SLF001 - its own class
        return section
