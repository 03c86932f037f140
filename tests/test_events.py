"""Streams of events, against scripted servers, for threads and for event loops."""

from __future__ import annotations

import asyncio

import pytest
from servers import Peer, ScriptedServer

import cycletls
from cycletls._live import EventOptions

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
OVER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Stream:
    """A server that answers each connection with the next part, and keeps what it was asked."""

    def __init__(self, *parts: bytes) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.server = ScriptedServer(*[self._script(part) for part in parts])

    def _script(self, part: bytes):  # type: ignore[no-untyped-def]
        def script(peer: Peer) -> None:
            head = peer.read_head().decode().lower()
            self.heads.append(head)
            length = next((int(line[16:]) for line in head.splitlines() if line.startswith("content-length: ")), 0)
            self.bodies.append(peer.read_exactly(length))
            peer.send(part)

        return script

    def __enter__(self) -> Stream:
        self.server.__enter__()
        self.url = self.server.url + "/"
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.__exit__(*raised)  # type: ignore[arg-type]

    def ids(self) -> list[str | None]:
        """The Last-Event-ID of each request."""
        fields = [dict(line.split(": ", 1) for line in head.splitlines()[1:-1]) for head in self.heads]
        return [named.get("last-event-id") for named in fields]


PARTS = (
    HEAD
    + b"\xef\xbb\xbfretry: 10\nid: 1\ndata: a\ndata:b\r\n\r\n: a comment\nevent: named\ndata: c\n\nid: 2\n\ndata: lost",
    HEAD + b"data: d\r\r",
    OVER,
)


def test_a_stream_goes_on_until_it_is_over() -> None:
    """With the last id that it gave, after the time that it asked for, over new connections."""
    with Stream(*PARTS) as stream, cycletls.CycleTLS() as client, client.events(stream.url) as events:
        assert events.response.status_code == 200
        assert list(events) == [
            cycletls.Event("a\nb", "message", "1", 0.01),
            cycletls.Event("c", "named", "1", 0.01),
            cycletls.Event("d", "message", "2", 0.01),
        ]
        assert events.last_event_id == "2"
        assert list(events) == []
    assert stream.ids() == [None, "2", "2"]
    assert all("\r\naccept: text/event-stream\r\n" in head for head in stream.heads)


def test_in_an_event_loop() -> None:
    """The asynchronous client does the same, and a block may end early."""

    async def main() -> None:
        with Stream(*PARTS) as stream:
            async with cycletls.AsyncCycleTLS() as client:
                assert [event.data async for event in client.events(stream.url)] == ["a\nb", "c", "d"]
        with Stream(*PARTS) as stream:
            async with cycletls.AsyncCycleTLS() as client, client.events(stream.url) as events:
                async for event in events:
                    assert event.event == "message"
                    break

    asyncio.run(main())


def test_post_sends_its_body_again() -> None:
    """And goes on after the event that the caller names."""
    with Stream(HEAD + b"data: {}\n\n", OVER) as stream, cycletls.CycleTLS() as client:
        events = client.events(stream.url, method="POST", json={"q": 1}, last_event_id="7", retry=0.01)
        assert [event.json() for event in events] == [{}]
        with pytest.raises(cycletls.InvalidBody):
            client.events(stream.url, method="POST", content=iter([b"x"]))
    assert stream.ids() == ["7", "7"]
    assert stream.bodies == [b'{"q": 1}'] * 2 or stream.bodies == [b'{"q":1}'] * 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_stream_is_an_error(reply: bytes) -> None:
    """Another content type or status, at the first connection and at a later one."""
    with Stream(reply) as stream, cycletls.CycleTLS() as client, pytest.raises(cycletls.EventStreamError):
        next(client.events(stream.url))
    with Stream(HEAD + b"data: a\n\n", reply) as stream, cycletls.CycleTLS() as client:
        events = client.events(stream.url, retry=0.01)
        assert next(events).data == "a"
        with pytest.raises(cycletls.EventStreamError):
            next(events)


def test_limits_and_options() -> None:
    """An event without end is stopped; what is wrong is said first."""
    with Stream(HEAD + b"data: x\n" * 1000) as stream, cycletls.CycleTLS() as client:
        with pytest.raises(cycletls.LimitExceeded):
            next(client.events(stream.url, max_event_bytes=1000))
        for wrong in (
            {"retry": -1},
            {"retry": None},
            {"last_event_id": 7},
            {"max_event_bytes": 0},
            {"stream": True},
            {"colour": 1},
        ):
            with pytest.raises(cycletls.InvalidOption):
                client.events(stream.url, **wrong)  # type: ignore[arg-type]
    assert EventOptions().message() == {"lastEventId": "", "retry": 3000, "maxEventBytes": 16 * 1024 * 1024}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_timeout_is_for_the_head(scripted: type[ScriptedServer], asynchronous: bool) -> None:
    """A server that says nothing is given up; the stream lasts longer, and going on with it has as much time again."""
    limit = 0.3

    def silent(peer: Peer) -> None:
        peer.read_all()

    def slow(peer: Peer) -> None:
        peer.read_head()
        peer.send(HEAD)
        peer.drip(b"\n" * 6, limit / 4)
        peer.send(b"data: a\n\n")

    def over(peer: Peer) -> None:
        peer.read_head()
        peer.send(OVER)

    async def follow(url: str) -> list[str]:
        async with cycletls.AsyncCycleTLS() as client:
            return [event.data async for event in client.events(url, timeout=limit, retry=0.01)]

    def followed(url: str) -> list[str]:
        if asynchronous:
            return asyncio.run(follow(url))
        with cycletls.CycleTLS() as client, client.events(url, timeout=limit, retry=0.01) as events:
            return [event.data for event in events]

    with scripted(silent, slow, silent, over) as server:
        with pytest.raises(cycletls.Timeout) as caught:
            followed(server.url)
        assert not isinstance(caught.value, (cycletls.ConnectTimeout, cycletls.ReadTimeout))
        assert followed(server.url) == ["a"]
        assert server.connections == 4


def test_cycletls_names() -> None:
    """CycleTLS' object goes on where the connection ends, as it always promised."""
    with Stream(*PARTS) as stream, cycletls.SSEConnection(stream.url, last_event_id="0") as events:
        assert events.connected
        assert events.next_event() == cycletls.SSEEvent("a\nb", "message", "1", 0.01)
        assert events.retry_time == 0.01
        assert [event.data for event in events] == ["c", "d"]
        assert events.next_event() is None
        assert not events.connected
    assert stream.ids()[0] == "0"

    async def main() -> None:
        with Stream(*PARTS) as stream:
            async with cycletls.SSEConnection(stream.url) as events:
                assert [event.data async for event in events] == ["a\nb", "c", "d"]

    asyncio.run(main())
