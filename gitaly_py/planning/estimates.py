"""How long a call would have run that was refused: as long as others of its kind."""

from __future__ import annotations

from math import isnan
from typing import Final

from gitaly_py.limits.simulation.distribution import Distribution
from gitaly_py.planning.requests import Request

_MEDIAN: Final = 0.5


class Estimates:
    """Medians of calls that ended well. estimated, unknown: calls that `service` guessed, or could not."""

    def __init__(self) -> None:
        self.estimated = 0
        self.unknown = 0
        self._of_repository: dict[tuple[str, str], Distribution] = {}
        self._of_rpc: dict[str, Distribution] = {}

    def learn(self, request: Request) -> None:
        """Takes a call for a measure of others, if it may be one."""
        if not request.succeeded or isnan(request.service):
            return
        for_repository = self._of_repository.get((request.rpc, request.repository))
        if for_repository is None:
            for_repository = self._of_repository[request.rpc, request.repository] = Distribution()
        for_rpc = self._of_rpc.get(request.rpc)
        if for_rpc is None:
            for_rpc = self._of_rpc[request.rpc] = Distribution()
        for_repository.add(request.service)
        for_rpc.add(request.service)

    def service(self, request: Request) -> float:
        """Seconds that a call runs: its own if it did, else the median of its RPC and repository, or RPC.

        Without any of that it runs for no time at all.
        """
        if not isnan(request.service):
            return request.service
        known = self._of_repository.get((request.rpc, request.repository)) or self._of_rpc.get(request.rpc)
        if known is None:
            self.unknown += 1
            return 0.0
        self.estimated += 1
        return known.quantile(_MEDIAN)
