"""TLS over another wire, record by record in memory (transport.md 1.2)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Final

from gitaly_py.transport.errors import HandshakeFailed
from gitaly_py.transport.wire import Buffer, Callback, Wire, readable

BLOCK: Final = 262144  # read from the inner wire, and encrypted, at a time
RECORD: Final = 16384  # most that a TLS record carries
LINGER_TIMEOUT: Final = 10.0  # seconds for encrypted bytes the peer has not taken when the wire is closed


class TLSWire:
    """A wire whose bytes travel encrypted over `inner`, which it owns. Call `handshake` first.

    Encrypting happens on the event loop, at most BLOCK bytes (about 0.1 ms) a call.
    """

    splice_fd: Final = None

    def __init__(
        self, inner: Wire, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._unsent = memoryview(b"")
        self._error: OSError | None = None
        self._buffered = False  # recv has left something in memory, of which the inner wire knows nothing
        self._called: asyncio.Handle | None = None
        self._closing = False
        self._linger: asyncio.TimerHandle | None = None
        self._on_readable: Callback | None = None
        self._on_writable: Callback | None = None

    @property
    def selected_alpn_protocol(self) -> str | None:
        """The protocol agreed on by ALPN, if any."""
        return self._tls.selected_alpn_protocol()

    async def handshake(self) -> None:
        """Raises HandshakeFailed, and what the inner wire raises."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError as error:
                self._flush()
                raise HandshakeFailed(error.reason or str(error)) from error
            else:
                self._flush()
                return
            while not self._fill():
                await readable(self._inner)

    def recv(self, limit: int) -> bytes:
        """See Wire. An end without TLS's own end mark is an end too: what travels inside has its own."""
        self._check()
        while True:
            data, ended = self._decrypted(limit)
            if data or ended:
                self._flush()
                return data
            if not self._fill():
                raise BlockingIOError

    def send(self, data: Buffer, *, more: bool = False) -> int:
        """See Wire."""
        self._check()
        if self._unsent:
            raise BlockingIOError
        rest = block = memoryview(data)[:BLOCK]
        while rest:
            rest = rest[self._tls.write(rest) :]
        if not more:
            self._flush()
        return len(block)

    def send_many(self, buffers: Sequence[Buffer]) -> int:
        """See Wire. Encrypting copies anyway, and one record is shorter than many."""
        return self.send(b"".join(buffers))

    def watch_readable(self, callback: Callback | None) -> None:
        """See Wire."""
        before, self._on_readable = self._on_readable, callback
        self._inner.watch_readable(None if callback is None else self._readable)
        if before is None and callback is not None and (self._buffered or self._error):
            self._call_soon()

    def watch_writable(self, callback: Callback | None) -> None:
        """See Wire."""
        self._on_writable = callback
        if callback is not None:
            self._inner.watch_writable(self._writable)
        elif not self._unsent:
            self._inner.watch_writable(None)

    def shutdown_write(self) -> None:
        """See Wire."""
        # SSLWantReadError: our end mark is on its way, and we do not wait for the peer's.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """See Wire."""
        if self._closing:
            return
        self._closing = True
        self.watch_readable(None)
        self._on_writable = None
        try:
            self._check()
            self.shutdown_write()
        except OSError:
            self._finish()  # the peer is gone, so nothing can be delivered
            return
        if self._unsent:
            self._linger = self._loop.call_later(LINGER_TIMEOUT, self._inner.close)
        else:
            self._finish()

    def abort(self) -> None:
        """See Wire."""
        self._closing = True
        self.watch_readable(None)
        self._on_writable = None
        self._finish()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)

    def _fill(self) -> bool:
        """Reads encrypted bytes; False when there are none yet."""
        try:
            data = self._inner.recv(BLOCK)
        except BlockingIOError:
            return False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return True

    def _decrypted(self, limit: int) -> tuple[bytes, bool]:
        """What is in memory, up to `limit` bytes, and whether it ends there."""
        parts: list[bytes] = []
        left, ended = limit, False
        while left and not ended:
            try:
                part = self._tls.read(min(left, RECORD))
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                part = b""
            ended = not part
            parts.append(part)
            left -= len(part)
        self._buffered = ended or not left
        return b"".join(parts), ended

    def _flush(self) -> None:
        """Hands encrypted bytes on; what is not taken follows when the inner wire takes more."""
        try:
            while self._unsent or self._outgoing.pending:
                if not self._unsent:
                    self._unsent = memoryview(self._outgoing.read())
                self._unsent = self._unsent[self._inner.send(self._unsent) :]
        except BlockingIOError:
            self._inner.watch_writable(self._writable)

    def _readable(self) -> None:
        if self._on_readable is None:
            return
        self._on_readable()
        if self._on_readable is not None and self._buffered:
            self._call_soon()

    def _call_soon(self) -> None:
        if self._called is None:
            self._called = self._loop.call_soon(self._call_reader)

    def _call_reader(self) -> None:
        self._called = None
        self._readable()

    def _writable(self) -> None:
        try:
            self._flush()
        except OSError as error:
            self._broken(error)
            return
        if self._unsent:
            return
        if self._closing:
            self._finish()
        elif self._on_writable is None:
            self._inner.watch_writable(None)
        else:
            self._on_writable()

    def _broken(self, error: OSError) -> None:
        """The inner wire died while nobody was looking; whoever comes next is told."""
        self._error = error
        self._inner.watch_writable(None)
        if self._closing:
            self._finish()
            return
        for callback in (self._on_writable, self._on_readable):
            if callback is not None:
                callback()

    def _finish(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._inner.close()
