"""A core without a network: it notes what Python sends to it and plays the replies it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cycletls import _ffi
from cycletls._core import pack, unpack

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
        self.answer: Callable[[Message], Message] = lambda request: {}

    def exchange(self, session: int, envelope: bytes, body: bytes | None, /) -> _ffi.Reply:
        """Note a request and answer it."""
        request = unpack(envelope)
        self.requests.append((session, request))
        self.bodies.append(body)
        answer = {"status": 200, "method": request["method"], "url": request["url"], **self.answer(request)}
        if "kind" in answer:
            return _ffi.Reply(0, pack({"type": "error", **answer}), b"")
        return _ffi.Reply(answer["status"], pack({"type": "response", **answer}), b"content")

    def upload(self, session: int, envelope: bytes, pieces: Iterable[bytes], /) -> _ffi.Reply:
        """Note a request with the whole of its body."""
        return self.exchange(session, envelope, b"".join(pieces))

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
