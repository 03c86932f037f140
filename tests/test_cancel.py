"""Cancel tokens: requests that are ended from elsewhere."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from servers import Peer, ScriptedServer

import cycletls
from cycletls import AsyncCycleTLS, CancelToken, CycleTLS


def silent(left: threading.Event) -> Callable[[Peer], None]:
    """Play a server that never answers, and note that the client hung up."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.await_end()
        left.set()

    return play


def test_a_token_ends_a_request_that_waits() -> None:
    """From another thread, at once, and on the wire."""
    left = threading.Event()
    token = CancelToken()
    with ScriptedServer(silent(left)) as server:
        timer = threading.Timer(0.1, token.cancel)
        timer.start()
        start = time.monotonic()
        with pytest.raises(cycletls.Cancelled) as caught:
            cycletls.get(server.url, cancel=token)
        assert time.monotonic() - start < 0.4
        assert left.wait(1)
        timer.join()
    assert token.cancelled
    assert not isinstance(caught.value, cycletls.Timeout)


def test_a_token_that_was_cancelled_ends_requests_before_they_begin() -> None:
    """Nothing is sent."""
    token = CancelToken()
    token.cancel()
    token.cancel()
    with ScriptedServer(silent(threading.Event())) as server:
        with pytest.raises(cycletls.Cancelled):
            cycletls.get(server.url, cancel=token)
        assert server.connections == 0


def test_a_token_serves_many_calls_and_threads() -> None:
    """All that it was given to end; others go on."""
    left = threading.Event()
    token, other = CancelToken(), CancelToken()
    caught: list[type[BaseException]] = []

    def wait_for_nothing(client: CycleTLS, url: str, cancel: CancelToken) -> None:
        try:
            client.get(url, cancel=cancel, timeout=1)
        except cycletls.RequestException as exc:
            caught.append(type(exc))

    with ScriptedServer(silent(left)) as server, CycleTLS() as client:
        tokens = [token, token, token, other]
        threads = [threading.Thread(target=wait_for_nothing, args=(client, server.url, each)) for each in tokens]
        for thread in threads:
            thread.start()
        while server.connections < 4:
            time.sleep(0.01)
        token.cancel()
        for thread in threads:
            thread.join()
    assert sorted(kind.__name__ for kind in caught) == ["Cancelled", "Cancelled", "Cancelled", "Timeout"]


def test_a_token_ends_a_stream_that_is_read() -> None:
    """Between two pieces, too."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na")
        peer.read_all()

    token = CancelToken()
    with (
        ScriptedServer(play) as server,
        CycleTLS() as client,
        client.stream("GET", server.url, cancel=token) as response,
    ):
        assert response.read(1) == b"a"
        token.cancel()
        with pytest.raises(cycletls.Cancelled):
            response.read(1)


def test_a_token_ends_requests_of_a_loop() -> None:
    """They raise Cancelled, while their tasks are not cancelled."""
    left = threading.Event()

    async def main(url: str) -> None:
        token = CancelToken()
        asyncio.get_running_loop().call_later(0.1, token.cancel)
        async with AsyncCycleTLS() as client:
            with pytest.raises(cycletls.Cancelled):
                await client.get(url, cancel=token)
            assert await asyncio.to_thread(left.wait, 1)

    with ScriptedServer(silent(left)) as server:
        asyncio.run(main(server.url))


def test_something_else_is_no_token() -> None:
    """The error says what cancel= takes."""
    with pytest.raises(cycletls.InvalidOption, match="CancelToken"):
        cycletls.get("http://127.0.0.1:1/", cancel=3)  # type: ignore[arg-type]
