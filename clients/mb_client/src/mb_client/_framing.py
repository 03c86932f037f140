"""Messages in a stream of bytes, without I/O: each behind its length, four bytes, the most significant first."""

from __future__ import annotations

import struct
from typing import Final

from ._exceptions import FramingError, MessageTooLarge

MAX_SKIPPED: Final = 64 * 2**20
"""Bytes: what claims to be longer is no message, but a stream read at the wrong place, or of another protocol."""

MAX_RECEIVED: Final = 2**20
"""Bytes of a message that this side reads: the broker's own answers, such as lists, are not bound to its limit."""

_LENGTH: Final = struct.Struct(">I")
_COMPACT: Final = 65_536


def frame_message(message: str) -> bytes:
    """Return a message's bytes behind their length."""
    data = message.encode()
    return _LENGTH.pack(len(data)) + data


class FrameDecoder:
    """Takes bytes as they come and gives the messages that are whole."""

    def __init__(self, max_message: int = MAX_RECEIVED) -> None:
        self._max_message = max_message
        self._buffer = bytearray()
        self._start = 0
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        if self._start >= _COMPACT or self._start == len(self._buffer):
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_message(self) -> bytes | None:
        """Return the next message; None if it is not there yet.

        Raises:
            MessageTooLarge: one is longer than this side reads. Call again: the one after it follows.
            FramingError: this is no stream of messages.
        """
        self._pass_over()
        if self._skip or len(self._buffer) - self._start < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, self._start)
        if length > MAX_SKIPPED:
            raise FramingError(f"a message of {length} bytes: this is no stream of messages")
        if length > self._max_message:
            self._skip = _LENGTH.size + length
            raise MessageTooLarge(f"a message of {length} bytes: {self._max_message} are read")
        end = self._start + _LENGTH.size + length
        if end > len(self._buffer):
            return None
        message = bytes(self._buffer[self._start + _LENGTH.size : end])
        self._start = end
        return message

    @property
    def pending(self) -> int:
        """Bytes that belong to a message of which the rest is not there yet."""
        return len(self._buffer) - self._start + self._skip

    def _pass_over(self) -> None:
        passed = min(self._skip, len(self._buffer) - self._start)
        self._start += passed
        self._skip -= passed
