"""The transports by themselves: connecting, trust, handlers, and what a connection survives."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mb_client import ConnectionFailed, ConnectionLost, MessageTooLarge, NotConnected, TCPSocketClient, WebSocketClient
from mb_client._transport import Transport

from .conftest import Certificates, Inbox, Protocol, listening, until
from .proxy import fault_proxy
from .standin.broker import Broker

WELCOME = "publish:system.initialize:1.0.0\n{}"


def transport(protocol: Protocol, **options: object) -> Transport:
    """Return one that is not connected."""
    kind = WebSocketClient if protocol == "ws" else TCPSocketClient
    return kind(**options)  # type: ignore[arg-type]  # each test gives those that there are


async def test_messages_pass_both_ways(protocol: Protocol, broker: Broker, port: int) -> None:
    """A message is sent whole, the broker's arrive whole, and the end is told once."""
    client, inbox, told = transport(protocol), Inbox(), Inbox()
    client.on_message(inbox)
    client.on_connect(lambda: told("connected"))
    client.on_disconnect(lambda: told("disconnected"))
    await client.connect("127.0.0.1", port)
    assert client.connected
    await client.send("publish:nobody:1.0.0\n{}")
    assert "NO_ROUTE_FOUND" in (await inbox.has(2))[1]
    assert inbox.payloads[0] == WELCOME
    assert list(broker.seen) == ["publish:nobody:1.0.0\n{}"]
    await client.close()
    await client.close()
    assert told.payloads == ["connected", "disconnected"]
    with pytest.raises(NotConnected):
        await client.send("publish:nobody:1.0.0\n{}")


async def test_tls_is_verified(protocol: Protocol, broker: Broker, certificates: Certificates) -> None:
    """With the authority's certificate the broker is trusted, without it or by another name it is not."""
    async with listening(protocol, broker, certificates.server) as port:
        trusting, inbox = transport(protocol, ca=certificates.authority), Inbox()
        trusting.on_message(inbox)
        await trusting.connect("localhost", port, use_tls=True)
        assert await inbox.has(1) == [WELCOME]
        await trusting.close()
        with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
            await transport(protocol).connect("localhost", port, use_tls=True)
        with pytest.raises(ConnectionFailed, match=r"(?i)certificate|127\.0\.0\.2"):
            await transport(protocol, ca=certificates.authority).connect("127.0.0.2", port, use_tls=True)
        with pytest.raises(ConnectionFailed):
            await transport(protocol, ca="nowhere.pem").connect("localhost", port, use_tls=True)


async def test_nobody_there(protocol: Protocol) -> None:
    """A port that nobody listens on, and one that cannot be, are failures that say where."""
    async with fault_proxy(1) as proxy:
        port = proxy.port
    with pytest.raises(ConnectionFailed, match=str(port)):
        await transport(protocol).connect("127.0.0.1", port)
    with pytest.raises(ConnectionFailed):
        await transport(protocol).connect("127.0.0.1", 65_536)


async def test_a_server_that_says_nothing(protocol: Protocol) -> None:
    """TLS to what never answers ends with the time to connect."""
    async with scripted(b"") as port:
        with pytest.raises(ConnectionFailed, match=r"0\.1 s"):
            await transport(protocol, connect_timeout=0.1).connect("127.0.0.1", port, use_tls=True)


async def test_the_broker_s_end_is_told(protocol: Protocol, broker: Broker, port: int) -> None:
    """A connection that the broker closes is told as an error and an end; sending on it fails."""
    client, errors, ends = transport(protocol), Inbox(), Inbox()
    client.on_error(errors)
    client.on_disconnect(lambda: ends("end"))
    await client.connect("127.0.0.1", port)
    await until(lambda: bool(broker.peers))
    broker.peers[0].end()
    await ends.has(1)
    assert isinstance(errors.payloads[0], ConnectionLost)
    with pytest.raises(NotConnected):
        await client.send("publish:a:1.0.0\n{}")


async def test_too_large_for_the_broker(protocol: Protocol, broker: Broker) -> None:
    """A broker that takes less closes the connection, which is told as its loss."""
    async with listening(protocol, broker, max_message=1_000) as port:
        client, errors = transport(protocol), Inbox()
        client.on_error(errors)
        await client.connect("127.0.0.1", port)
        await client.send("publish:a:1.0.0\n" + "b" * 1_000)
        assert isinstance((await errors.has(1))[0], ConnectionLost)
        await client.close()


async def test_a_handler_that_fails_harms_nobody(protocol: Protocol, port: int) -> None:
    """What one handler raises goes to the error handlers, and the others are called."""
    client, inbox, errors = transport(protocol), Inbox(), Inbox()
    client.on_message(lambda text: 1 / 0)  # type: ignore[arg-type]  # what it returns is of no interest
    client.on_message(inbox)
    client.on_error(errors)
    await client.connect("127.0.0.1", port)
    assert await inbox.has(1) == [WELCOME]
    assert isinstance(errors.payloads[0], ZeroDivisionError)
    await client.close()


async def test_reading_can_wait(protocol: Protocol, port: int) -> None:
    """Nothing is handed on while reading is paused, and nothing is lost."""
    client, inbox = transport(protocol), Inbox()
    client.on_message(inbox)
    await client.connect("127.0.0.1", port)
    await inbox.has(1)
    client.pause_reading()
    await client.send_many([f"publish:nobody{number}:1.0.0\n{{}}" for number in range(50)])
    await asyncio.sleep(0.05)  # for what must not happen there is no event
    assert len(inbox.payloads) == 1
    client.resume_reading()
    answers = await inbox.has(51)
    assert [f"nobody{number}:" in text for number, text in enumerate(answers[1:])] == [True] * 50
    await client.close()


@asynccontextmanager
async def scripted(data: bytes, *, then_close: bool = False) -> AsyncIterator[int]:
    """A TCP server that says one thing to whoever comes."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if not then_close:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        done.set()
        server.close()


def framed(data: bytes) -> bytes:
    """Put a length before what need not be text."""
    return struct.pack(">I", len(data)) + data


async def test_a_bad_message_costs_only_itself() -> None:
    """Over TCP what is too long or no text is told, and the message after it arrives."""
    data = framed(b"\xff\xfe") + framed(b"a" * 2_000) + framed(b"") + framed(b"publish:a:1.0.0\n{}")
    async with scripted(data) as port:
        client, inbox, errors = TCPSocketClient(max_received=1_000), Inbox(), Inbox()
        client.on_message(inbox)
        client.on_error(errors)
        await client.connect("127.0.0.1", port)
        assert await inbox.has(2) == ["", "publish:a:1.0.0\n{}"]
        assert "UTF-8" in str(errors.payloads[0])
        assert isinstance(errors.payloads[1], MessageTooLarge)
        assert client.connected
        await client.close()


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no stream of messages"), (framed(b"a" * 9)[:9], "after 9 bytes")],
)
async def test_what_ends_a_tcp_connection(data: bytes, message: str) -> None:
    """Another protocol, and an end within a message, are told for what they are."""
    async with scripted(data, then_close=True) as port:
        client, errors = TCPSocketClient(), Inbox()
        client.on_error(errors)
        await client.connect("127.0.0.1", port)
        assert message in str((await errors.has(1))[0])
        await until(lambda: not client.connected)


async def test_incoming_data_can_be_fed() -> None:
    """The names of the documented interface: a message is framed, and comes out of the bytes again."""
    client, inbox = TCPSocketClient(), Inbox()
    client.on_message(inbox)
    data = client._frame_message("publish:a:1.0.0\n{}")
    await client._process_incoming_data(data[:7])
    await client._process_incoming_data(data[7:])
    assert inbox.payloads == ["publish:a:1.0.0\n{}"]
