"""`[gitlab]` and `[gitlab-shell]`: the Rails application and the secret shared with it."""

from __future__ import annotations

from pydantic import NonNegativeInt

from gitaly_py.config.section import Section, setting, table


class HttpSettings(Section):
    """`[gitlab.http-settings]`."""

    read_timeout: NonNegativeInt = setting(0, "Seconds a request may take; 0 is 300.")
    user: str = setting("", "User name for HTTP basic authentication; needs `password`.")
    password: str = setting("", "Password for HTTP basic authentication; needs `user`.", secret=True)
    ca_file: str = setting("", "PEM file with certificate authorities to trust.")
    ca_path: str = setting("", "Directory with certificate authorities to trust.")


class Gitlab(Section):
    """`[gitlab]`."""

    url: str = setting("", "Address: `http://`, `https://`, or `http+unix://` and a percent-encoded path.")
    relative_url_root: str = setting("", "Path prefix of the application; for unix sockets only.")
    secret_file: str = setting("", "File with the secret; default `<gitlab-shell.dir>/.gitlab_shell_secret`.")
    secret: str = setting("", "The secret itself; instead of `secret_file`.", secret=True)
    http_settings: HttpSettings = table(HttpSettings, "How requests are made.", key="http-settings")


class GitlabShell(Section):
    """`[gitlab-shell]`."""

    dir: str = setting("", "Deprecated: gitlab-shell's directory, for the defaults of other keys.")
