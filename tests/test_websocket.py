"""WebSockets, against real servers and scripted ones, for threads and for event loops."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from servers import Certificates, Peer, ScriptedServer
from sockets import accept, address, echo, served
from websockets.asyncio import server as asyncio_server
from websockets.exceptions import ConnectionClosedError
from websockets.sync.server import ServerConnection

import cycletls
from cycletls._live import WebSocketOptions
from cycletls._sidecar import own

MESSAGES = ["", b"", "Hällo \U0001f600", b"\x00\xff", "x" * 70_000, b"y" * 200_000, "z" * 1_000_000]
"""Of both types, within what comes in one crossing and beyond."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server that sends back what it is sent."""
    with served(echo) as server:
        yield address(server)


@pytest.fixture(scope="module")
def url_tls(certificates: Certificates) -> Iterator[str]:
    """The same over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with served(echo, ssl=context) as server:
        yield address(server, "wss")


@pytest.fixture
def client(carrier: str, ca_file: str) -> Iterator[cycletls.CycleTLS]:
    """A client that trusts the test authority."""
    with cycletls.CycleTLS(verify=ca_file) as session:
        yield session


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("profile", ["chrome", "firefox", "safari", None])
def test_messages_come_back(
    client: cycletls.CycleTLS, url: str, url_tls: str, secure: bool, compression: bool, profile: str | None
) -> None:
    """Text stays text and binary binary, of any size, as any browser, compressed or not."""
    with client.websocket(url_tls if secure else url, compression=compression, profile=profile) as ws:
        assert ("permessage-deflate" in ws.response.headers.get("Sec-WebSocket-Extensions", "")) is compression
        for message in MESSAGES:
            ws.send(message)
            received = ws.recv(timeout=10)
            assert received == message
            assert type(received) is type(message)
    assert (ws.close_code, ws.close_reason) == (1000, "")


@pytest.mark.parametrize("secure", [False, True])
def test_messages_come_back_in_an_event_loop(ca_file: str, url: str, url_tls: str, secure: bool) -> None:
    """The asynchronous client does the same."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS(verify=ca_file) as client:
            async with client.websocket(url_tls if secure else url) as ws:
                for message in MESSAGES:
                    await ws.send(message)
                    received = await ws.recv(timeout=10)
                    assert received == message
                    assert type(received) is type(message)
            assert ws.close_code == 1000

    asyncio.run(main())


def test_over_http2_where_the_server_takes_it(ca_file: str, httpbin_h2: str) -> None:
    """On a connection that is there, and says so (RFC 8441); the others go on beside it."""
    with cycletls.CycleTLS(verify=ca_file) as client:
        with client.websocket(httpbin_h2.replace("https", "wss") + "/x") as ws:
            assert ws.response.http_version == "HTTP/1.1"  # nothing is known of the server yet
        client.get(f"{httpbin_h2}/get")
        with client.websocket(httpbin_h2.replace("https", "wss") + "/x", subprotocols=["a", "b"]) as ws:
            assert (ws.response.http_version, ws.response.status_code, ws.subprotocol) == ("HTTP/2", 200, "b")
            for message in MESSAGES:
                ws.send(message)
                assert client.get(f"{httpbin_h2}/get").ok
                assert ws.recv(timeout=10) == message
        assert ws.close_code == 1000
        assert client.get(f"{httpbin_h2}/get").connection.reused


def test_over_http2_in_an_event_loop(ca_file: str, httpbin_h2: str) -> None:
    """Receiving does not keep others from the connection, nor the other way round."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS(verify=ca_file) as client:
            await client.get(f"{httpbin_h2}/get")
            async with client.websocket(httpbin_h2.replace("https", "wss") + "/x") as ws:
                assert ws.response.http_version == "HTTP/2"
                waiting = asyncio.create_task(ws.recv())
                answers = await asyncio.gather(*(client.get(f"{httpbin_h2}/get") for _ in range(20)))
                assert all(response.ok for response in answers)
                await ws.send("last")
                assert await waiting == "last"

    asyncio.run(main())


def test_the_handshake_is_the_profiles(scripted: type[ScriptedServer]) -> None:
    """Its fields come in the browser's order, the caller's among them, and the subprotocol is the server's choice."""
    heads: list[str] = []

    def script(peer: Peer) -> None:
        heads.append(accept(peer, "Sec-WebSocket-Protocol: b"))
        peer.send(b"\x88\x02\x03\xe8")
        peer.read_all()

    with scripted(script) as server, cycletls.CycleTLS(profile="chrome_156") as client:
        with client.websocket(
            f"{server.url.replace('http', 'ws')}/chat?a=b", subprotocols=["a", "b"], cookies={"c": "1"}
        ) as ws:
            assert ws.subprotocol == "b"
        names = [line.split(":")[0] for line in heads[0].splitlines()[1:-1]]
        assert heads[0].startswith("GET /chat?a=b HTTP/1.1\r\n")
        assert (
            names
            == (
                "Host Connection Pragma Cache-Control User-Agent Upgrade Origin Sec-WebSocket-Version Accept-Encoding "
                "Accept-Language Cookie Sec-WebSocket-Key Sec-WebSocket-Extensions Sec-WebSocket-Protocol"
            ).split()
        )
        assert f"Origin: {server.url}\r\n" in heads[0]


def test_a_refusal_has_the_response(scripted: type[ScriptedServer]) -> None:
    """Whatever a server says instead of opening can be read; redirects are not followed."""

    def says(status: str) -> Callable[[Peer], None]:
        def script(peer: Peer) -> None:
            peer.read_head()
            peer.send(f"HTTP/1.1 {status}\r\nLocation: /there\r\nContent-Length: 2\r\n\r\nno".encode())

        return script

    statuses = ("200 OK", "302 Found", "403 Forbidden")
    with scripted(*[says(status) for status in statuses]) as server, cycletls.CycleTLS() as client:
        for status in statuses:
            with pytest.raises(cycletls.WebSocketHandshakeError, match=status) as caught:
                client.websocket(server.url.replace("http", "ws"))
            response = caught.value.response
            assert response is not None
            assert (response.status_code, response.text) == (int(status[:3]), "no")


@pytest.mark.parametrize(
    "fields",
    ["Sec-WebSocket-Accept: AAAA", "Sec-WebSocket-Protocol: other", "Sec-WebSocket-Extensions: other"],
)
def test_a_faulty_handshake_opens_nothing(scripted: type[ScriptedServer], fields: str) -> None:
    """An answer to another key, a subprotocol or an extension that nobody asked for."""
    with scripted(lambda peer: accept(peer, fields)) as server, cycletls.CycleTLS() as client:
        with pytest.raises(cycletls.WebSocketHandshakeError) as caught:
            client.websocket(f"{server.url.replace('http', 'ws')}/")
        assert caught.value.response is None


def test_closing_by_the_server(client: cycletls.CycleTLS, url: str) -> None:
    """Its code and reason reach the caller, with every further use; iterating ends, or raises what is no good end."""
    for code, ends_well in ((1000, True), (1001, True), (4000, False), (1011, False)):
        with client.websocket(url) as ws:
            ws.send(f"close {code}")
            if ends_well:
                assert list(ws) == []
            else:
                with pytest.raises(cycletls.WebSocketClosed):
                    list(ws)
            for use in (ws.recv, lambda ws=ws: ws.send("x"), lambda ws=ws: ws.ping()):
                with pytest.raises(cycletls.WebSocketClosed) as caught:
                    use()
                assert (caught.value.code, caught.value.reason) == (code, "as you wish")
        assert (ws.close_code, ws.close_reason) == (code, "as you wish")


def test_closing_by_the_client() -> None:
    """The server learns code and reason; closing again is harmless, and what cannot be said is refused first."""
    seen: list[tuple[int | None, str | None]] = []

    def handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosedError):
            for _ in connection:
                pass
        seen.append((connection.close_code, connection.close_reason))

    with served(handler) as server, cycletls.CycleTLS() as client:
        with client.websocket(address(server)) as ws:
            for wrong in ((999, ""), (1006, ""), (70000, ""), (1000, "x" * 124)):
                with pytest.raises(cycletls.WebSocketError):
                    ws.close(*wrong)
            ws.close(4321, "enough")
            ws.close()
            with pytest.raises(cycletls.WebSocketClosed):
                ws.send("more")
        with pytest.raises(ZeroDivisionError), client.websocket(address(server)) as ws:
            raise ZeroDivisionError
        with client.websocket(address(server)) as ws:
            pass
    assert seen[0] == (4321, "enough")


VIOLATIONS = {
    "reserved bit": (b"\xc1\x00", 1002),
    "reserved opcode": (b"\x83\x00", 1002),
    "masked": (b"\x81\x80\x00\x00\x00\x00", 1002),
    "fragmented ping": (b"\x09\x00", 1002),
    "long ping": (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),
    "continuation of nothing": (b"\x80\x00", 1002),
    "message in a message": (b"\x01\x00\x81\x00", 1002),
    "not UTF-8": (b"\x81\x01\xff", 1007),
    "not UTF-8 across frames": (b"\x01\x02\xe2\x82\x80\x01\x28", 1007),
    "close code": (b"\x88\x02\x03\xed", 1002),
    "close reason": (b"\x88\x03\x03\xe8\xff", 1007),
    "too big": (b"\x82\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 1009),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_close_with_the_right_code(scripted: type[ScriptedServer], name: str) -> None:
    """The server is told, and the caller."""
    frames, code = VIOLATIONS[name]
    told: list[int] = []

    def script(peer: Peer) -> None:
        accept(peer)
        peer.send(frames)
        head = peer.read_exactly(8)
        key, payload = head[2:6], head[6:8]
        assert head[0] == 0x88
        told.append(int.from_bytes(bytes(byte ^ key[i] for i, byte in enumerate(payload)), "big"))

    with scripted(script) as server, cycletls.CycleTLS() as client:
        ws = client.websocket(f"{server.url.replace('http', 'ws')}/", compression=False, max_message_bytes=1 << 20)
        for _ in range(2):
            with pytest.raises(cycletls.WebSocketClosed) as caught:
                ws.recv(timeout=10)
            assert caught.value.code == code
        ws.close()
    assert told == [code]


def test_a_lost_connection(scripted: type[ScriptedServer]) -> None:
    """1006, whatever was under way."""

    def script(peer: Peer) -> None:
        accept(peer)
        peer.send(b"\x01\x05Hel")

    with scripted(script) as server, cycletls.CycleTLS() as client:
        with (
            client.websocket(f"{server.url.replace('http', 'ws')}/") as ws,
            pytest.raises(cycletls.WebSocketClosed) as caught,
        ):
            ws.recv(timeout=10)
        assert caught.value.code == ws.close_code == 1006


def test_a_timeout_loses_nothing(client: cycletls.CycleTLS, url: str) -> None:
    """Receiving in vain leaves the WebSocket as good as before."""
    with client.websocket(url) as ws:
        for number in range(3):
            with pytest.raises(cycletls.ReadTimeout):
                ws.recv(timeout=0.01)
            ws.send(str(number))
            assert ws.recv(timeout=10) == str(number)


def test_cancelling_a_receiver_loses_nothing(url: str) -> None:
    """Of a task that is cancelled, or times out, the next receiver gets the message."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            for number in range(3):
                waiting = asyncio.create_task(ws.recv())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                with pytest.raises(cycletls.ReadTimeout):
                    await ws.recv(timeout=0.01)
                await ws.send(str(number))
                assert await ws.recv(timeout=10) == str(number)

    asyncio.run(main())


def test_one_receives_while_another_sends(client: cycletls.CycleTLS, url: str) -> None:
    """From two threads, in both directions at once, more than any buffer holds."""
    count, message = 300, b"x" * 100_000
    with client.websocket(url, compression=False) as ws:
        sender = threading.Thread(target=lambda: [ws.send(message) for _ in range(count)])
        sender.start()
        for _ in range(count):
            assert ws.recv(timeout=10) == message
        sender.join()


def test_tasks_send_while_one_receives(url: str) -> None:
    """Backpressure makes senders wait; nothing is mixed up."""
    count = 50

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url, compression=False) as ws:

            async def send(letter: bytes) -> None:
                for _ in range(count):
                    await ws.send(letter * 100_000)

            tasks = [asyncio.create_task(send(letter)) for letter in (b"a", b"b", b"c")]
            received = [await ws.recv(timeout=10) for _ in range(3 * count)]
            await asyncio.gather(*tasks)
            assert sorted(message[:1] for message in received) == [b"a"] * count + [b"b"] * count + [b"c"] * count
            assert all(message == message[:1] * 100_000 for message in received)

    asyncio.run(main())


def test_two_receivers_are_one_too_many(client: cycletls.CycleTLS, url: str) -> None:
    """The second is told so, and the first goes on: in event loops, and in threads."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            waiting = asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            with pytest.raises(cycletls.WebSocketError, match="another task"):
                await ws.recv()
            await ws.send("x")
            assert await waiting == "x"

    asyncio.run(main())
    with client.websocket(url) as ws:
        received: list[str | bytes] = []

        def receive() -> None:
            while not received:
                with suppress(cycletls.WebSocketError):  # the other thread was first
                    received.append(ws.recv())

        thread = threading.Thread(target=receive)
        thread.start()
        refused = False
        while not refused:
            try:
                ws.recv(timeout=0.001)
            except cycletls.ReadTimeout:
                pass  # the thread has not begun
            except cycletls.WebSocketError:
                refused = True
        ws.send("x")
        thread.join()
        assert received == ["x"]


def test_pings(scripted: type[ScriptedServer]) -> None:
    """The server's are answered while somebody receives; ours are sent, and one that is not answered ends it."""

    def answered(peer: Peer) -> None:
        accept(peer)
        peer.send(b"\x89\x02hi")
        head = peer.read_exactly(8)
        assert head[0] == 0x8A
        peer.send(b"\x81\x02ok")
        peer.read_all()

    def silent(peer: Peer) -> None:
        accept(peer)
        assert peer.read_exactly(6)[0] == 0x89
        peer.read_all()

    with scripted(answered, silent) as server, cycletls.CycleTLS() as client:
        ws = client.websocket(f"{server.url.replace('http', 'ws')}/")
        assert ws.recv(timeout=10) == "ok"
        ws.response.close()
        ws = client.websocket(f"{server.url.replace('http', 'ws')}/", ping_interval=0.01, ping_timeout=0.05)
        with pytest.raises(cycletls.WebSocketClosed) as caught:
            ws.recv()
        assert caught.value.code == 1011
        ws.close()


def test_keeping_alive(url: str) -> None:
    """A server that answers pings is not given up, in an event loop either."""

    async def main() -> None:
        alive = {"ping_interval": 0.01, "ping_timeout": 2}
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url, **alive) as ws:
            with pytest.raises(cycletls.ReadTimeout):
                await ws.recv(timeout=0.2)
            await ws.ping(b"by hand")
            await ws.send("x")
            assert await ws.recv() == "x"

    asyncio.run(main())


def test_limits(client: cycletls.CycleTLS, url: str) -> None:
    """A message beyond max_message_bytes closes with 1009, also one that only expands to it."""
    for compression in (False, True):
        with client.websocket(url, compression=compression, max_message_bytes=1000) as ws:
            ws.send("x" * 1000)
            assert len(ws.recv()) == 1000
            ws.send("x" * 1001)
            with pytest.raises(cycletls.WebSocketClosed) as caught:
                ws.recv(timeout=10)
            assert caught.value.code == 1009


def test_a_message_may_not_expand_without_measure(client: cycletls.CycleTLS, url: str) -> None:
    """A bomb within max_message_bytes closes with 1009, unless max_expansion allows it."""
    bomb = bytes(12 << 20)
    with client.websocket(url) as ws:
        ws.send(bomb)
        with pytest.raises(cycletls.WebSocketClosed) as caught:
            ws.recv(timeout=10)
        assert caught.value.code == 1009
    with client.websocket(url, max_expansion=10_000) as ws:
        ws.send(bomb)
        assert ws.recv(timeout=10) == bomb


def test_cancel_token_and_closing_the_client(url: str) -> None:
    """Both end a wait for a message."""
    token = cycletls.CancelToken()
    with cycletls.CycleTLS() as client:
        ws = client.websocket(url, cancel=token)
        timer = threading.Timer(0.05, token.cancel)
        timer.start()
        with pytest.raises(cycletls.Cancelled):
            ws.recv()
        timer.join()
        ws = client.websocket(url)
        timer = threading.Timer(0.05, client.close)
        timer.start()
        with pytest.raises((cycletls.SessionClosed, cycletls.WebSocketClosed)):
            ws.recv()
        timer.join()

    async def main() -> None:
        client = cycletls.AsyncCycleTLS()
        ws = await client.websocket(url)
        waiting = asyncio.create_task(ws.recv())
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises((cycletls.SessionClosed, cycletls.WebSocketClosed)):
            await waiting

    asyncio.run(main())


def test_whatever_ends_one_ends_the_wait_of_a_loop(ca_file: str, url: str, url_tls: str) -> None:
    """A token, closing the client, and the server: also where the loop itself watches the socket."""

    async def main(url: str) -> None:
        token = cycletls.CancelToken()
        client = cycletls.AsyncCycleTLS(verify=ca_file)
        cancelled, closed, left = [await client.websocket(url, cancel=token)] + [
            await client.websocket(url) for _ in range(2)
        ]
        for ws in (cancelled, closed, left):
            await ws.send("x")
            assert await ws.recv(timeout=10) == "x"
        waiting = [asyncio.create_task(ws.recv(timeout=10)) for ws in (cancelled, closed, left)]
        await asyncio.sleep(0)
        token.cancel()
        with pytest.raises(cycletls.Cancelled):
            await waiting[0]
        await left.send("close 4000")
        with pytest.raises(cycletls.WebSocketClosed, match="4000"):
            await waiting[2]
        await client.aclose()
        with pytest.raises((cycletls.SessionClosed, cycletls.WebSocketClosed)):
            await waiting[1]

    for at in (url, url_tls):
        asyncio.run(main(at))


def test_what_nobody_receives_costs_nothing(url: str) -> None:
    """Messages that wait do not keep the loop busy, and come in their order when somebody wants them."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            with pytest.raises(cycletls.ReadTimeout):
                await ws.recv(timeout=0.01)
            for number in range(5):
                await ws.send(str(number))
            before = time.process_time()
            await asyncio.sleep(0.5)
            assert time.process_time() - before < 0.1
            assert [await ws.recv(timeout=10) for _ in range(5)] == list("01234")

    asyncio.run(main())


def test_a_message_is_kept_whose_receiver_was_cancelled(url: str) -> None:
    """Also one that had come when the task was."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            for number in range(20):
                waiting = asyncio.create_task(ws.recv())
                await ws.send(str(number))
                for _ in range(number):
                    await asyncio.sleep(0.0001)
                if waiting.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await waiting
                    waiting = asyncio.create_task(ws.recv(timeout=10))
                assert await waiting == str(number)

    asyncio.run(main())


def test_pings_of_a_loop_are_checked(url: str) -> None:
    """One that is too long is refused, and does no harm."""

    async def main() -> None:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            with pytest.raises(cycletls.WebSocketError, match="125"):
                await ws.ping(b"x" * 126)
            await ws.ping(b"x" * 125)
            await ws.send("x")
            assert await ws.recv(timeout=10) == "x"

    asyncio.run(main())


def test_forgetting_one_closes_it(client: cycletls.CycleTLS) -> None:
    """A WebSocket that nobody holds any more is gone from the wire, too."""
    gone = threading.Event()

    def handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosedError):
            for _ in connection:
                pass
        gone.set()

    with served(handler) as server:
        ws = client.websocket(address(server))
        ws.send("x")
        del ws
        gc.collect()
        assert gone.wait(10)


def test_options_are_checked(client: cycletls.CycleTLS, url: str) -> None:
    """What is wrong is said before anything is sent; the defaults are those of the table."""
    for wrong in (
        {"subprotocols": "chat"},
        {"subprotocols": ["a", "a"]},
        {"subprotocols": ["a b"]},
        {"compression": 1},
        {"max_message_bytes": 0},
        {"ping_interval": -1},
        {"ping_timeout": "x"},
        {"stream": True},
        {"colour": 1},
    ):
        with pytest.raises(cycletls.InvalidOption):
            client.websocket(url, **wrong)  # type: ignore[arg-type]
    with pytest.raises(cycletls.InvalidBody):
        client.websocket(url, data=b"x")
    with pytest.raises(cycletls.InvalidURL):
        client.websocket("ftp://localhost/")
    with client.websocket(url) as ws, pytest.raises(cycletls.WebSocketError, match="str or bytes"):
        ws.send(7)  # type: ignore[arg-type]
    assert WebSocketOptions().message() == {
        "subprotocols": [],
        "compression": True,
        "maxMessageBytes": 64 * 1024 * 1024,
        "pingInterval": 0,
        "pingTimeout": 20_000,
    }


def test_cycletls_names(url: str) -> None:
    """CycleTLS' objects: connected by a call, messages with a type, the end as a message."""
    with cycletls.WebSocketConnection(url, headers={"X-Own": "1"}, timeout=10) as ws:
        assert ws.connected
        ws.send("text")
        ws.send("binary", binary=True)
        first, second = ws.receive(timeout=10), ws.receive(timeout=10)
        assert (first.is_text, first.data, first.type) == (True, "text", cycletls.MessageType.TEXT)
        assert (second.is_binary, second.data) == (True, b"binary")
        ws.send("close 1001")
        assert list(ws) == []
        assert ws.receive() == cycletls.WebSocketMessage(cycletls.MessageType.CLOSE, "as you wish")
        assert not ws.connected
    with pytest.raises(cycletls.WebSocketError, match="not connected"):
        cycletls.WebSocketConnection(url).send("x")

    async def main() -> None:
        async with cycletls.WebSocketConnection(url) as ws:
            await ws.send_async("text")
            assert (await ws.receive_async(timeout=10)).data == "text"
            await ws.send_async("close 1000")
            assert [message async for message in ws] == []

    asyncio.run(main())


def test_through_a_sidecar(url: str) -> None:
    """The same where the library is in another process."""
    with cycletls.CycleTLS(sidecar=True) as client, client.websocket(url) as ws:
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(timeout=10) == message
        with pytest.raises(cycletls.ReadTimeout):
            ws.recv(timeout=0.01)

    async def main() -> None:
        async with cycletls.AsyncCycleTLS(sidecar=True) as client, client.websocket(url) as ws:
            for message in MESSAGES:
                await ws.send(message)
                assert await ws.recv(timeout=10) == message

    asyncio.run(main())
    own()._died()  # it would stay for the next client, and the tests leave nothing behind


def test_a_server_that_still_sends_notices_the_end() -> None:
    """Also where an event loop has watched the connection: nothing of it stays open once the response is closed."""

    async def main() -> None:
        ended = asyncio.Event()

        async def flood(peer: asyncio_server.ServerConnection) -> None:
            try:
                await peer.recv()
                await peer.send("x" * 20_000_000)
            finally:
                ended.set()

        async with (
            asyncio_server.serve(flood, "127.0.0.1", 0, compression=None) as server,
            cycletls.AsyncCycleTLS() as client,
        ):
            port = server.sockets[0].getsockname()[1]
            ws = await client.websocket(f"ws://127.0.0.1:{port}/", max_message_bytes=1000)
            await ws.send("go")
            with pytest.raises(cycletls.WebSocketClosed):
                await ws.recv()
            ws.response.close()
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(main())
