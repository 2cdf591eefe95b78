"""AnalysisService (commit.md 5)."""

from __future__ import annotations

from gitaly_py.rpc.service import Service

service = Service("AnalysisService")
