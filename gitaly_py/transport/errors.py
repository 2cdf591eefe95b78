"""Errors of connections and side channels.

TransportError
├── SessionClosed          the yamux session is gone, or admits no more streams
├── StreamReset            the stream was aborted, by the peer or by us
├── StreamClosed           a write after our own close
├── StreamsExhausted       a session has used up its stream ids
├── TruncatedSource        a file or pipe ended within a frame that was already announced
├── HandshakeFailed        TLS or the first bytes did not come about
├── ConnectFailed          a connection could not be made
├── AddressError           an address has no form we know
└── SidechannelError
    ├── NoSidechannelId    the call carries no side channel id
    ├── NotMultiplexed     the call came over a plain connection
    ├── OpenFailed         the client did not confirm the side channel
    ├── CallbackNotRun         the call ended without its side channel being opened
    ├── InvalidFrame       a frame header that cannot be
    └── UnexpectedEOF      the client's data ended without the end frame
"""

from __future__ import annotations


class TransportError(Exception):
    """Root of this package's errors."""


class SessionClosed(TransportError):
    """The session ended, or its peer refuses new streams; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"session closed: {self.reason}"


class StreamReset(TransportError):
    """The stream was aborted; what was not read yet is lost."""

    def __str__(self) -> str:
        return "connection reset"


class StreamClosed(TransportError):
    """Our own end of the stream is closed."""

    def __str__(self) -> str:
        return "stream closed"


class StreamsExhausted(TransportError):
    """No stream id is left in this session."""

    def __str__(self) -> str:
        return "streams exhausted"


class TruncatedSource(TransportError):
    """What is being sent is shorter than announced: `missing` bytes of a frame do not exist."""

    def __init__(self, missing: int) -> None:
        super().__init__(missing)
        self.missing = missing

    def __str__(self) -> str:
        return f"source ended {self.missing} bytes early"


class HandshakeFailed(TransportError):
    """TLS, the first bytes or the first stream did not come about; `reason` is the TLS library's or ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"handshake: {self.reason}"


class ConnectFailed(TransportError):
    """`address` could not be reached."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason

    def __str__(self) -> str:
        return f"connect {self.address}: {self.reason}"


class AddressError(TransportError):
    """An address that is none of the known forms."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f'invalid address: "{self.address}"'


class SidechannelError(TransportError):
    """Root of what goes wrong with a side channel; every text begins with `sidechannel: `."""

    def __str__(self) -> str:
        return f"sidechannel: {self.text}"

    @property
    def text(self) -> str:
        """What is said after the prefix."""
        return super().__str__()


class NoSidechannelId(SidechannelError):
    """The call's metadata has no side channel id."""

    text = "sidechannel-id not found in incoming metadata"


class NotMultiplexed(SidechannelError):
    """The call's connection has no session in which a side channel could be opened."""

    text = "fail to extract mux session: non-multiplexed connection"


class OpenFailed(SidechannelError):
    """The side channel was not opened.

    retryable: the client's waiter was not consumed, so the same call may be made again (transport.md 1.9).
    """

    def __init__(self, text: str, *, retryable: bool) -> None:
        super().__init__(text)
        self.retryable = retryable


class CallbackNotRun(SidechannelError):
    """The server answered the call without opening the side channel."""

    text = "callback has not run"


class InvalidFrame(SidechannelError):
    """A frame header that is not a length, or a length that is not allowed."""

    def __init__(self, header: bytes) -> None:
        super().__init__(header)
        self.header = header

    @property
    def text(self) -> str:
        """Reserved lengths by number, anything else as it came."""
        if self.header in (b"0001", b"0002", b"0003"):
            return f"invalid header {int(self.header)}"
        return f'invalid header "{self.header.decode("ascii", "backslashreplace")}"'


class UnexpectedEOF(SidechannelError):
    """The peer closed the channel before its end frame."""

    text = "unexpected EOF"
