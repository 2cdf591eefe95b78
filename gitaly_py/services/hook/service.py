"""The service that the modules of this package register with."""

from gitaly_py.rpc.service import Service

service = Service("HookService")
