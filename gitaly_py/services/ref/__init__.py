"""gitaly.RefService: branches, tags and all other references (ref-blob.md 5)."""

from gitaly_py.services.ref import branches, lookup, references, tags, updating
from gitaly_py.services.ref.service import service

__all__ = ["branches", "lookup", "references", "service", "tags", "updating"]
