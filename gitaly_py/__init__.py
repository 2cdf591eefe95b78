"""A Git RPC storage daemon that takes the place of Gitaly."""

from importlib.metadata import version

__version__ = version("gitaly_py")
"""The version reported to clients: the Gitaly release whose interface this is."""
