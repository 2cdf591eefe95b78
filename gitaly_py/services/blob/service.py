"""BlobService (ref-blob.md 6)."""

from __future__ import annotations

from gitaly_py.rpc.service import Service

service = Service("BlobService")
