"""A core without a network: it notes what Python sends to it and plays the replies it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cycletls._core import pack, unpack
from cycletls._transfer import DONE, START, WRITE, Outcome, Reply, Step

Message = dict[str, Any]


class FakeCore:
    """Stands in the place of the functions of :mod:`cycletls._ffi`.

    Attributes:
        sessions: the "session" messages by handle.
        closed: the handles that were closed, in order.
        requests: the "request" messages, in order, with the handle they went to.
        bodies: their bodies.
        answer: makes the head of the reply to a request; an "error" where it has a kind.
    """

    def __init__(self) -> None:
        self.sessions: dict[int, Message] = {}
        self.closed: list[int] = []
        self.requests: list[tuple[int, Message]] = []
        self.bodies: list[bytes | None] = []
        self.cookies: list[Message] = []
        self._started = (0, b"", b"")
        self.answer: Callable[[Message], Message] = lambda request: {}

    def exchange(self, session: int, envelope: bytes, body: bytes | None, /) -> Reply:
        """Note a request and answer it."""
        request = unpack(envelope)
        self.requests.append((session, request))
        self.bodies.append(body)
        answer = {"status": 200, "method": request["method"], "url": request["url"], **self.answer(request)}
        if "kind" in answer:
            return Reply(0, pack({"type": "error", **answer}), b"")
        return Reply(answer["status"], pack({"type": "response", **answer}), b"content")

    def perform(self, step: Step, /) -> Outcome:
        """Note a request whose body comes in pieces, with the whole of it."""
        if step.verb == START:
            self._started = (step.target, step.envelope, b"")
            return Outcome(DONE, 1, 0, 0, b"", b"")
        session, envelope, sent = self._started
        if step.verb == WRITE:
            self._started = (session, envelope, sent + step.data)
            return Outcome(DONE, 0, 0, 0, b"", b"")
        reply = self.exchange(session, envelope, sent)
        return Outcome(reply.status, 0, 0, 0, reply.head, reply.content)

    def message(self, target: int, envelope: bytes, /) -> bytes:
        """Make sessions and keep cookies."""
        message = unpack(envelope)
        if message["type"] == "session":
            handle = 100 + len(self.sessions)
            self.sessions[handle] = message
            return pack({"type": "made", "handle": handle})
        if message["type"] == "copyJar":
            return pack({"type": "made", "handle": 99})
        if message["type"] == "cookies":
            self.cookies.append({"target": target, **message})
            return pack({"type": "cookieList", "cookies": []})
        return pack({"type": "error", "kind": "invalid_message", "message": "what?"})

    def close(self, handle: int, /) -> None:
        """Note that a handle was closed."""
        self.closed.append(handle)
