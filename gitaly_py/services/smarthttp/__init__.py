"""SmartHTTPService: what workhorse and the gateway clone and push through (transport.md 3, 5)."""

from gitaly_py.services.smarthttp import advertisement, receive_pack, upload_pack
from gitaly_py.services.smarthttp.service import service

__all__ = ["advertisement", "receive_pack", "service", "upload_pack"]
