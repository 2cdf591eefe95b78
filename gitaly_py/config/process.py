"""`[workers]` and `[rpc]`: this daemon's own sections, which Gitaly does not have."""

from __future__ import annotations

from gitaly_py.config.section import Section, setting

ENGINES = ("grpcio",)


class Workers(Section):
    """`[workers]`."""

    count: int = setting(0, "Processes that serve calls; 0 is one a core. At present there is one.")


class Rpc(Section):
    """`[rpc]`."""

    engine: str = setting("grpcio", "What speaks gRPC: `grpcio`.")
