"""The command line, as a user runs it, against the stand-in in this process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mb_client import MessageBrokerClient, __version__

from .conftest import Certificates, listening
from .standin.broker import Broker

MB = Path(sys.executable).with_name("mb")


class Command:
    """Runs ``mb`` against a broker."""

    def __init__(self, port: int) -> None:
        self.options = ["--protocol", "tcp", "--host", "127.0.0.1", "--port", str(port)]

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start it."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(MB, *self.options, *arguments, stdout=pipe, stderr=pipe)

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run it; return its status, and what it printed on stdout and stderr."""
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def mb(broker: Broker) -> AsyncIterator[Command]:
    """The command, for the broker of this test."""
    async with listening("tcp", broker) as port:
        yield Command(port)


@pytest.fixture
async def client(mb: Command) -> AsyncIterator[MessageBrokerClient]:
    """A service to talk to."""
    async with MessageBrokerClient("tcp") as client:
        await client.connect("127.0.0.1", int(mb.options[-1]))
        await client.register_service("Stock\x1b[2J", "Knows what is there")
        yield client


async def test_listen_and_publish(mb: Command, broker: Broker) -> None:
    """What one process publishes another one shows, a line of JSON each."""
    listening = await mb.start("listen", "orders.created", "--count", "2")
    await broker.saw("orders.created")
    assert await mb("publish", "orders.created", '{"id": 7}') == (0, "", "")
    assert (await mb("publish", "orders.created", '"\\u001b"', "--version", "2.0.0"))[0] == 0
    out, _ = await listening.communicate()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"topic": "orders.created", "version": "1.0.0", "payload": {"id": 7}},
        {"topic": "orders.created", "version": "2.0.0", "payload": "\x1b"},
    ]
    assert b"\x1b" not in out


async def test_request(mb: Command, client: MessageBrokerClient) -> None:
    """The answer is printed; an error is one line and status 1."""
    client.serve("stock.check")(lambda header, payload: {"left": payload["sku"]})
    await client.services()
    assert await mb("request", "stock.check", '{"sku": 3}') == (0, '{"left": 3}\n', "")
    assert await mb("request", "nobody") == (1, "", "mb: NO_ROUTE_FOUND: No subscribers for topic nobody\n")


async def test_lists(mb: Command, client: MessageBrokerClient, broker: Broker) -> None:
    """Topics, services and metrics are fields with tabs between them, without control characters."""
    await client.subscribe("a.b")
    peer = broker.peers[0].id
    assert (await mb("topics"))[1] == f"a.b\tpublish\t{peer}\na.b\trequest\t{peer}\n"
    assert (await mb("services"))[1].splitlines()[0].startswith(f"{peer}\tStock\\x1b[2J\tKnows what is there\t")
    assert "registry.count\t2\n" in (await mb("metrics"))[1]
    status, out, _ = await mb("metrics", "--watch", "--interval", "0.1", "--count", "2")
    assert status == 0
    assert "registry.count" in out


async def test_log_and_messages(mb: Command, client: MessageBrokerClient, broker: Broker) -> None:
    """The broker's log and what it relays are shown as they come."""
    logging = await mb.start("log", "--level", "warn", "--count", "1")
    await broker.saw("system.log.subscribe")
    watching = await mb.start("messages", "--count", "1")
    await broker.saw("system.message")
    broker.log("error", "no")
    broker.log("warn", "yes")
    await client.subscribe("a")
    await client.publish("a")
    assert json.loads((await logging.communicate())[0])["message"] == "yes"
    assert json.loads((await watching.communicate())[0])["message"]["header"]["topic"] == "a"


async def test_interrupt(mb: Command, broker: Broker) -> None:
    """Ctrl-C ends it quietly, with the status that shells give."""
    listening = await mb.start("listen", "a")
    await broker.saw("system.topic.subscribe")
    listening.send_signal(signal.SIGINT)
    out, err = await listening.communicate()
    assert (listening.returncode, out, err.strip()) == (130, b"", b"")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["publish", "a", "{"], 2, "is not JSON"),
        (["publish", "a.#"], 1, "no wildcards"),
        (["listen"], 2, "TOPICS"),
        (["--port", "1", "topics"], 1, "127.0.0.1 port 1"),
        (["--protocol", "udp", "topics"], 2, "udp"),
    ],
)
async def test_errors_are_one_line(mb: Command, arguments: list[str], status: int, message: str) -> None:
    """A user is told what is wrong, without a traceback."""
    returned, out, err = await mb(*arguments)
    assert (returned, out) == (status, "")
    assert message in err
    assert err.startswith("mb: ")
    assert err.count("\n") == 1


async def test_over_tls(broker: Broker, certificates: Certificates) -> None:
    """An authority to trust means TLS."""
    async with listening("tcp", broker, certificates.server) as port:
        assert (await Command(port)("--ca", str(certificates.authority), "services"))[0] == 0
        assert (await Command(port)("--tls", "services"))[0] == 1


async def test_version(mb: Command) -> None:
    """It is the package's."""
    assert await mb("--version") == (0, f"mb, version {__version__}\n", "")
