"""The service that the modules of this package register with, and how it runs git."""

from grpc import StatusCode

from gitaly_py.git.process import Stderr
from gitaly_py.rpc.service import Service
from gitaly_py.services.starting import Transport

service = Service("SSHService")

SSH = Transport(name="ssh", flags=(), stderr=Stderr.PIPE, starting="start cmd", undecided=StatusCode.INTERNAL)
