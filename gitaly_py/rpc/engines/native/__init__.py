"""The engine on our own HTTP/2 and gRPC core, driven by the front door without a socket in between."""

from gitaly_py.rpc.engines.native.engine import NativeEngine
from gitaly_py.rpc.engines.native.settings import NativeSettings

__all__ = ["NativeEngine", "NativeSettings"]
