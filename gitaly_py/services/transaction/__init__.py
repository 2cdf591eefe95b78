"""gitaly.RefTransaction: votes on changes of references within a cluster (ref-blob.md 7)."""

from gitaly_py.services.transaction import voting
from gitaly_py.services.transaction.service import service

__all__ = ["service", "voting"]
