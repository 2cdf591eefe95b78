"""The greatest number of descriptors that the process may have open."""

from __future__ import annotations

import resource

import structlog

_log = structlog.get_logger("gitaly")

_ENOUGH = 1 << 20
"""Some systems allow a thousand million, and there are programs among those we start that go through them."""


def raise_descriptor_limit() -> None:
    """Raises the soft limit to the hard one, for every connection needs a descriptor, at times several.

    The soft limit is often 1024, which is for programs that use select(2); neither ours nor git does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warning("cannot raise the limit of open files", limit=soft, wanted=wanted, error=str(error))
