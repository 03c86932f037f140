"""What a request takes beyond one crossing: sending a body in pieces, receiving a long one, step by step.

The steps are written once, as generators, for every way to wait. A generator
yields a step, is sent what came of it, and returns the reply.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, Final, Protocol, TypeAlias

    from ._streams import Body, Bytes

    class Queue(Protocol):
        """Has steps taken in the background of an event loop, which wakes who made it when some are done."""

        def submit(self, step: Step, /) -> tuple[int, object]:
            """Have a step taken; return the ticket under which :meth:`take` tells of it, and what to keep so long."""

        def submit_call(self, session: int, envelope: bytes, body: bytes, /) -> int:
            """Have a request sent and return its ticket."""

        def take(self) -> list[tuple[int, Done]]:
            """Return the tickets of what is done, and what came of it."""

        def cancel(self, ticket: int, /) -> None:
            """End a step."""

        def close(self) -> None:
            """End all of them; twice is harmless."""

    class Carrier(Protocol):
        """A way to the library: in this process (the module _ffi), or in another (_sidecar)."""

        @property
        def alive(self) -> bool:
            """Whether it can be used still: neither is what it leads to gone, nor was this process forked since."""

        @property
        def remote(self) -> bool:
            """Whether it leads to another process."""

        def exchange(self, session: int, envelope: bytes, body: bytes | None, /) -> Reply:
            """Send a request whose body, if any, is at hand, and return the response with its body."""

        def perform(self, step: Step, /) -> Outcome:
            """Take a step and wait for what comes of it."""

        def message(self, target: int, envelope: bytes, /) -> bytes:
            """Send a message that is not a request and return the answering envelope."""

        def cancel(self, handle: int, /) -> None:
            """End an exchange, or what a cancel token was given to."""

        def close(self, handle: int, /) -> None:
            """End a session, an exchange or a token; twice is harmless."""

        def writable(self, content: bytes, /) -> memoryview:
            """Return the memory of a bytes object that nobody else has seen yet."""

        def queue(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object], /) -> Queue:
            """Return what works in the background of an event loop."""

    Steps: TypeAlias = Generator["Step", Any, "Reply"]
    Done: TypeAlias = tuple[int, int, int, int, bytes, bytes]  # what an Outcome is made of
    Progress: TypeAlias = Callable[[int, int | None], object]

# Verbs of the library (golang/cycletls.h).
CALL: Final = 1
START: Final = 2
WRITE: Final = 3
WAIT: Final = 4
READ: Final = 5
RECEIVE: Final = 6
TEXT: Final = 7
BINARY: Final = 8
PING: Final = 9
GOODBYE: Final = 10
FLUSH: Final = 11
PULL: Final = 0
"""No verb: the caller is asked for the next piece of the body, None after the last."""

# Statuses of the library that are not of HTTP (likewise); 0 is an "error".
DONE: Final = 1
ANSWERED: Final = 2
IS_TEXT: Final = 3
NOT_YET: Final = 5
PENDING: Final = 6

FIRST: Final = 64 * 1024
"""Bytes of a response body that come back in the same crossing as its head."""

MOST: Final = 16 * 1024 * 1024
"""Bytes read in one crossing at most: between crossings Python runs its signal handlers."""


class Reply:
    """What came back for a request: the head as an envelope, the body as bytes.

    Attributes:
        status: the HTTP status, 0 when the request failed.
        head: base64 msgpack, a "response" or, with status 0, an "error".
        content: the body, content codings undone; whole where ``handle`` is 0.
        handle: of the exchange whose body is to be read.
    """

    __slots__ = ("content", "handle", "head", "status")

    def __init__(self, status: int, head: bytes, content: bytes, handle: int = 0) -> None:
        self.status = status
        self.head = head
        self.content = content
        self.handle = handle


class Step:
    """One crossing.

    Attributes:
        verb: one of the verbs above.
        target: handle of what it acts on.
        envelope: a message, for CALL and START.
        data: bytes that are sent; of RECEIVE the milliseconds to wait at most as eight bytes, little endian: 0 for
            ever, below 0 not at all.
        buffer: memory that READ fills.
    """

    __slots__ = ("buffer", "data", "envelope", "target", "verb")

    def __init__(
        self,
        verb: int,
        target: int,
        envelope: bytes = b"",
        data: Bytes = b"",
        buffer: bytearray | memoryview | None = None,
    ) -> None:
        self.verb = verb
        self.target = target
        self.envelope = envelope
        self.data = data
        self.buffer = buffer


class Outcome:
    """What came of a step; golang/cycletls.h says what the numbers mean.

    Attributes:
        status: of HTTP, DONE, ANSWERED, IS_TEXT (or 4: binary), or 0 where ``head`` is an "error".
        handle: of the exchange, 0 when it is over.
        length: of the decoded body, -1 where unknown, or of a WebSocket's message.
        filled: bytes that READ has put into the buffer.
        head: an envelope, or b"".
        content: the beginning of a body or message.
    """

    __slots__ = ("content", "filled", "handle", "head", "length", "status")

    def __init__(self, status: int, handle: int, length: int, filled: int, head: bytes, content: bytes) -> None:
        self.status = status
        self.handle = handle
        self.length = length
        self.filled = filled
        self.head = head
        self.content = content


class Failed(Exception):
    """A step whose outcome is an error; carries its envelope. It never leaves the package."""

    def __init__(self, envelope: bytes) -> None:
        super().__init__()
        self.envelope = envelope


def run(perform: Callable[[Step], Outcome], steps: Steps, pieces: Iterator[Bytes] | None = None) -> Reply:
    """Take the steps on the calling thread.

    Args:
        perform: does a step.
        steps: the generator.
        pieces: answers PULL.
    """
    try:
        step = next(steps)
        while True:
            step = steps.send(_next(pieces) if step.verb == PULL else perform(step))
    except StopIteration as done:
        reply: Reply = done.value
        return reply
    finally:
        steps.close()  # where a step raised, lets the generator give back what it holds


def _next(pieces: Iterator[Bytes] | None) -> Bytes | None:
    return None if pieces is None else next(pieces, None)


def send(
    carrier: Carrier, target: int, envelope: bytes, body: Body | None, keep: bool, progress: Progress | None
) -> Steps:
    """Send a request and receive its reply.

    A server may answer before it has the whole body; the rest is then not asked for.

    Args:
        carrier: where the steps are taken; the exchange is closed there if the caller breaks off.
        target: handle of a session.
        envelope: a "request" message.
        body: its body.
        keep: leave the body of the response to whoever reads it.
        progress: is called with the bytes that were sent and their sum, None where that is unknown.
    """
    if body is None or body.stream is None:
        outcome = yield Step(CALL, target, envelope, (body and body.content) or b"")
        return (yield from receive(carrier, outcome, keep))
    outcome = yield Step(START, target, envelope)
    if not outcome.status:
        return Reply(0, outcome.head, b"")
    handle = outcome.handle
    try:
        outcome = yield from _write(handle, body.stream.length, progress)
        if not outcome.status:
            return Reply(0, outcome.head, b"")
        outcome = yield Step(WAIT, handle)
    except BaseException:
        carrier.close(handle)
        raise
    return (yield from receive(carrier, outcome, keep))


def _write(handle: int, length: int | None, progress: Progress | None) -> Generator[Step, Any, Outcome]:
    """Write the pieces and the end; the outcome is the last write's."""
    sent = 0
    while (piece := (yield Step(PULL, handle))) is not None:
        if not len(piece):  # an empty piece would say that the body ends
            continue
        outcome: Outcome = yield Step(WRITE, handle, data=piece)
        if outcome.status != DONE:
            return outcome
        sent += len(piece)
        if progress is not None:
            progress(sent, length)
    ended: Outcome = yield Step(WRITE, handle)
    return ended


def receive(carrier: Carrier, outcome: Outcome, keep: bool) -> Steps:
    """Receive what follows the beginning of a response."""
    status, handle, head = outcome.status, outcome.handle, outcome.head
    if not handle or not status or keep:
        return Reply(status, head, outcome.content, handle)
    try:
        if outcome.length > len(outcome.content):
            content = bytes(outcome.length)
            yield from _known(handle, outcome.content, carrier.writable(content))
        else:
            content = yield from _unknown(handle, outcome.content)
    except Failed as failed:
        return Reply(0, failed.envelope, b"")
    except BaseException:
        carrier.close(handle)
        raise
    return Reply(status, head, content)


def _known(handle: int, start: bytes, room: memoryview) -> Generator[Step, Outcome, None]:
    """Read a body of known length into the memory of what becomes the content, without a copy."""
    filled = len(start)
    room[:filled] = start
    while handle and filled < len(room):
        outcome = yield Step(READ, handle, buffer=room[filled : filled + MOST])
        if not outcome.status:
            raise Failed(outcome.head)
        handle, filled = outcome.handle, filled + outcome.filled


def _unknown(handle: int, start: bytes) -> Generator[Step, Outcome, bytes]:
    """Read a body whose end only its framing tells, in growing pieces."""
    pieces: list[bytes | memoryview] = [start]
    size = FIRST
    while handle:
        size = min(size * 2, MOST)
        piece = bytearray(size)
        outcome = yield Step(READ, handle, buffer=piece)
        if not outcome.status:
            raise Failed(outcome.head)
        handle = outcome.handle
        pieces.append(memoryview(piece)[: outcome.filled])
    return b"".join(pieces)
