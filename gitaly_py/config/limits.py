"""`[[concurrency]]`, `[pack_objects_limiting]`, `[adaptive_limiting]`, `[load_shedder]` (daemon.md 5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gitaly_py.config.duration import Duration
from gitaly_py.config.section import Section, setting, table

_QUEUE_SIZE = 500
_CPU_THROTTLED_THRESHOLD = 0.5
_MEMORY_THRESHOLD = 0.6


def _zero_means(default: float) -> AfterValidator:
    return AfterValidator(lambda value: value or default)


class Limit(Section):
    """How many may run and how many may wait, for one key (a repository, or a client's address)."""

    max_concurrency: int = setting(0, "Calls that run at a time; 0 is no limit.")
    max_per_repo: int = setting(0, "Deprecated name of `max_concurrency`, which wins.")
    max_queue_size: int = setting(0, "Calls that may wait.")
    max_queue_wait: Duration = setting(Duration(0), "Longest wait; 0 is no limit.")
    adaptive: bool = setting(False, "Let the limit follow the machine's load.")
    min_limit: int = setting(0, "Adaptive: the least limit, above 0.")
    initial_limit: int = setting(0, "Adaptive: the limit at start.")
    max_limit: int = setting(0, "Adaptive: the greatest limit.")

    @property
    def limit(self) -> int:
        """Calls that run at a time, as long as the limit isn't adaptive."""
        return self.max_concurrency if self.max_concurrency > 0 else self.max_per_repo

    @property
    def is_set(self) -> bool:
        return self.adaptive or self.limit > 0


class Unauthenticated(Limit):
    """Limits of callers without a user name."""

    max_queue_size: int = setting(0, "Calls that may wait; 0 is no limit, there is no default.")


class Concurrency(Limit):
    """`[[concurrency]]`: the limit of one RPC, for each repository."""

    rpc: str = setting("", "Full method, such as `/gitaly.SmartHTTPService/PostUploadPackWithSidechannel`.")
    max_queue_size: Annotated[int, _zero_means(_QUEUE_SIZE)] = setting(
        _QUEUE_SIZE, "Calls that may wait; 0 is the default."
    )
    unauthenticated: Unauthenticated | None = setting(None, "Limits of callers without a user name.")


class PackObjectsLimiting(Limit):
    """`[pack_objects_limiting]`: the limit of pack generation, for each client address."""

    max_concurrency: int = setting(200, "Packs generated at a time; 0 is no limit.")
    max_queue_size: int = setting(0, "Calls that may wait; 0 is 200.")
    max_queue_length: int = setting(0, "Deprecated name of `max_queue_size`, which wins.")
    unauthenticated: Unauthenticated | None = setting(None, "Limits of callers without a user name.")


class Pressure(Section):
    """When stalls for one resource count as overload; percents of some.avg60."""

    enabled: bool = setting(False, "Watch this resource.")
    warning_threshold: float = setting(0.0, "Percent from which a warning is logged.")
    backoff_threshold: float = setting(0.0, "Percent from which limits shrink.")
    critical_threshold: float = setting(0.0, "Percent from which load is shed, if that is enabled.")
    sustain_duration_seconds: int = setting(30, "Seconds after which pressure counts as sustained.")
    fast_fall_ratio: float = setting(0.85, "Recent to past pressure below which it counts as falling.")


class PsiPressure(Section):
    """`[adaptive_limiting.psi_pressure]`; thresholds of 0 get a default once a resource is enabled."""

    memory: Pressure = table(Pressure, "Stalls for memory; thresholds default to 10, 20, 40.")
    io: Pressure = table(Pressure, "Stalls for input and output; thresholds default to 10, 20, 40.")
    cpu: Pressure = table(Pressure, "Stalls for a processor; thresholds default to 20, 25, 50.")


class AdaptiveLimiting(Section):
    """`[adaptive_limiting]`: what makes adaptive limits shrink."""

    cpu_throttled_threshold: Annotated[float, _zero_means(_CPU_THROTTLED_THRESHOLD)] = setting(
        _CPU_THROTTLED_THRESHOLD, "Part of the time the control group was throttled; 0 is the default."
    )
    memory_threshold: Annotated[float, _zero_means(_MEMORY_THRESHOLD)] = setting(
        _MEMORY_THRESHOLD, "Part of the control group's memory in use; 0 is the default."
    )
    psi_pressure: PsiPressure = table(PsiPressure, "Pressure stall information.")


class LoadShedder(Section):
    """`[load_shedder]`."""

    enabled: bool = setting(False, "End the most expensive calls under critical pressure. Not implemented.")
