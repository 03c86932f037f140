"""Fixtures of all tests: the stand-in on both transports, certificates, and the watch that nothing leaves loopback."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
import trustme
from mb_client import Backoff, MessageBrokerClient

from .standin.broker import Broker
from .standin.servers import listen_tcp, listen_ws

LOOPBACK = ("127.", "::1", "localhost")
QUICK = Backoff(first=0.02, limit=0.2)

Protocol = Literal["ws", "tcp"]

# A job that a shell runs in the background ignores SIGINT, and so would every process that the tests start from it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def refuse_other_hosts(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: no test connects beyond this machine."""
    address = arguments[1] if event == "socket.connect" else None
    if isinstance(address, tuple) and not address[0].startswith(LOOPBACK):
        raise RuntimeError(f"a test connects to {address}")


sys.addaudithook(refuse_other_hosts)


@pytest.fixture
def anyio_backend() -> str:
    """The client is for asyncio."""
    return "asyncio"


class Certificates(NamedTuple):
    """What a client trusts, and what a server shows."""

    authority: Path
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A test authority, and a server's certificate for localhost and its address."""
    authority = trustme.CA()
    pem = tmp_path_factory.mktemp("certificates") / "authority.pem"
    authority.cert_pem.write_to_path(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return Certificates(pem, context)


@pytest.fixture(params=["ws", "tcp"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each transport in turn."""
    chosen: Protocol = request.param
    return chosen


@asynccontextmanager
async def listening(
    protocol: Protocol, broker: Broker, tls: ssl.SSLContext | None = None, **limits: int
) -> AsyncIterator[int]:
    """Run a broker on a port, which is yielded."""
    listen = listen_ws if protocol == "ws" else listen_tcp
    async with listen(broker, tls, **limits) as port:
        yield port


@pytest.fixture
async def broker(anyio_backend: str) -> Broker:
    """A stand-in that does not listen yet."""
    return Broker()


@pytest.fixture
async def port(protocol: Protocol, broker: Broker) -> AsyncIterator[int]:
    """Where the broker listens, for the transport of this test."""
    async with listening(protocol, broker) as port:
        yield port


Connect = Callable[..., Coroutine[Any, Any, MessageBrokerClient]]


@pytest.fixture
async def connect(protocol: Protocol, broker: Broker, port: int) -> AsyncIterator[Connect]:
    """Make clients that are connected, with the options given; they are closed when the test ends."""
    clients: list[MessageBrokerClient] = []

    async def make(*, to: int | None = None, **options: Any) -> MessageBrokerClient:
        client = MessageBrokerClient(protocol, **{"reconnect": QUICK, **options})
        clients.append(client)
        await client.connect("127.0.0.1", port if to is None else to)
        return client

    yield make
    for client in clients:
        await client.close(drain=False)


class Inbox:
    """A handler that keeps what it gets, and can be waited for."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self._arrived = asyncio.Event()

    def __call__(self, *arguments: Any) -> None:
        self.payloads.append(arguments[-1])
        self._arrived.set()

    async def has(self, count: int) -> list[Any]:
        """Wait for so many, and return them."""
        while len(self.payloads) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 10)
        return self.payloads


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that nobody tells of."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(poll(), seconds)
