"""The steps around every handler, one a file; here is their order and nothing else (daemon.md 4.1)."""

from __future__ import annotations

from gitaly_py.interceptors.access_log import AccessLog, LoggedMethods
from gitaly_py.interceptors.authentication import Authentication, Tokens
from gitaly_py.interceptors.client_requests import ClientRequests
from gitaly_py.interceptors.correlation import Correlation
from gitaly_py.interceptors.cost import Cost
from gitaly_py.interceptors.invalidation import Invalidation
from gitaly_py.interceptors.limits import RpcLimits
from gitaly_py.interceptors.server_metrics import ServerMetrics
from gitaly_py.interceptors.tracing import Tracing
from gitaly_py.rpc.methods import Method
from gitaly_py.rpc.steps import Reporter, Step, Steps
from gitaly_py.telemetry.tracing import is_on as traces_are_on


def steps(tokens: Tokens, logged: LoggedMethods, limits: RpcLimits) -> Steps:
    """Everything around a handler, outermost first.

    tokens: which tokens are accepted; logged: which methods get an access log line; limits: of RPCs.
    """

    cost = Cost()

    def handling(method: Method) -> tuple[Step, ...]:
        inner = Invalidation.of(method)
        limited = limits.of(method)
        if limited is None:
            return (cost, *inner)
        # A refused stream still tells what it has cost.
        is_stream = method.client_streaming or method.server_streaming
        return (cost, limited, *inner) if is_stream else (limited, cost, *inner)

    traced: tuple[Reporter, ...] = (Tracing(),) if traces_are_on() else ()
    return Steps(
        reporters=(Correlation(), *traced, AccessLog(logged), ClientRequests(), ServerMetrics()),
        gates=(Authentication(tokens),),
        handling=handling,
    )
