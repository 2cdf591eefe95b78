"""ConflictsService (diff-conflicts.md)."""

from __future__ import annotations

from gitaly_py.rpc.service import Service

service = Service("ConflictsService")
