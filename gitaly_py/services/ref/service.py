"""Where the handlers of RefService register."""

from gitaly_py.rpc.service import Service

service = Service("RefService")
