"""SSHService: what gitlab-shell fetches, pushes and archives through (transport.md 4, 5)."""

from gitaly_py.services.ssh import receive_pack, upload_archive, upload_pack
from gitaly_py.services.ssh.service import service

__all__ = ["receive_pack", "service", "upload_archive", "upload_pack"]
