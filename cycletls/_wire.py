"""The messages between this package and a sidecar: one WebSocket message for a step, one for what came of it.

golang/internal/sidecar/frame.go is the other half and says what is in them.
Frames are those of RFC 6455 section 5.2.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from struct import Struct

from ._exceptions import SidecarDied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from ._streams import Bytes
    from ._transfer import Done, Step

# Verbs beside those of _transfer.
CANCEL: Final = 256
CLOSE: Final = 257
MORE: Final = 258

PARTLY: Final = -1
"""The status of a reply that is not the last under its ticket."""

LEAST_PART: Final = 1 << 18
"""Bytes of a read at most that one reply answers."""

_ORDER: Final = Struct("<QQQiI")
_REPLY: Final = Struct("<QQqqiI")

_PART: Final = 1 << 20
"""Bytes of a body in one message at most."""

_FIN_BINARY: Final = 0x82
_CLOSE_FRAME: Final = 0x88
_MASKED: Final = 0x80
_MASK: Final = bytes(4)
"""A client masks, so that no proxy takes its bytes for something else; between the two of us there is none."""
_SHORT: Final = Struct("!BBH")
_LONG: Final = Struct("!BBQ")


def order(ticket: int, verb: int, target: int, message: bytes = b"", body: int = 0, size: int = 0) -> bytes:
    """Return the beginning of a message, up to where so many bytes of a body follow."""
    header = _ORDER.pack(ticket, target, size, verb, len(message))
    length = len(header) + len(message) + body
    if length < 126:
        frame = bytes((_FIN_BINARY, _MASKED | length))
    elif length < 1 << 16:
        frame = _SHORT.pack(_FIN_BINARY, _MASKED | 126, length)
    else:
        frame = _LONG.pack(_FIN_BINARY, _MASKED | 127, length)
    return b"".join((frame, _MASK, header, message))


def orders(ticket: int, step: Step) -> Iterator[Bytes]:
    """Return what is sent for a step, in pieces; a long body goes in several messages."""
    body: Bytes = step.data
    if len(body) > _PART:
        view = memoryview(body).cast("B")
        last = (len(view) - 1) // _PART * _PART
        for start in range(0, last, _PART):
            yield order(ticket, MORE, 0, body=_PART)
            yield view[start : start + _PART]
        body = view[last:]
    size = 0 if step.buffer is None else len(step.buffer)
    yield order(ticket, step.verb, step.target, a2b_base64(step.envelope), len(body), size)
    if len(body):
        yield body


class Arrived:
    """A reply whose beginning is there.

    Attributes:
        ticket: of the step that it answers.
        head: bytes of its envelope.
        start: where that begins in what has come.
        end: where the reply ends.
    """

    __slots__ = ("_numbers", "end", "head", "start", "ticket")

    def __init__(self, data: bytearray, place: int, end: int) -> None:
        self.ticket, *self._numbers, self.head = _REPLY.unpack_from(data, place)
        self.start = place + _REPLY.size
        self.end = end

    @property
    def partly(self) -> bool:
        """Whether more replies come under its ticket."""
        status: int = self._numbers[3]
        return status == PARTLY

    @property
    def body(self) -> int:
        """Where the body begins."""
        begins: int = self.start + self.head
        return begins

    def after(self, before: int, done: Done) -> Done:
        """Return what came of a step, with the bytes that earlier replies have filled."""
        status, handle, length, filled, head, content = done
        return (status, handle, length, before + filled, head, content) if before else done

    def done(self, data: memoryview, content: bytes) -> Done:
        """Return what came of the step; data has the envelope."""
        handle, length, filled, status = self._numbers
        head = b2a_base64(data[self.start : self.body], newline=False) if self.head else b""
        return status, handle, length, filled, head, content


def arrived(data: bytearray, place: int, size: int) -> Arrived | None:
    """Return the reply that begins at a place, None where more must come first.

    Args:
        data: what has come.
        place: where the frame begins.
        size: where what has come ends.

    Raises:
        SidecarDied: the sidecar said goodbye.
    """
    if size - place < 2:
        return None
    kind, length = data[place], data[place + 1]
    start = place + 2
    if kind != _FIN_BINARY:
        if kind == _CLOSE_FRAME and size < start + length:
            return None
        reason = data[start + 2 : start + length].decode("utf-8", "replace")
        raise SidecarDied(f"the sidecar ended the connection: {reason}")
    if length >= 126:
        start += 2 if length == 126 else 8
        length = int.from_bytes(data[place + 2 : start], "big")
    if size < start + _REPLY.size:
        return None
    return Arrived(data, start, start + length)
