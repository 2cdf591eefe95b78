"""Where the handlers of RefTransaction register."""

from gitaly_py.rpc.service import Service

service = Service("RefTransaction")
