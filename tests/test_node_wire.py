"""The protocol of npm's client, spoken to the sidecar by hand: what no published client sends, and who may not."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from npm import COMMAND, node_sidecar
from servers import Peer, ScriptedServer
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect


class Frame(NamedTuple):
    """What every frame begins with, and the rest."""

    request: str
    kind: str
    rest: bytes

    @property
    def status(self) -> int:
        """The status of a response or an error."""
        (status,) = struct.unpack_from(">H", self.rest)
        return status

    @property
    def text(self) -> str:
        """The message of an error."""
        return self.rest[4:].decode()


class Wire:
    """A connection as npm's client opens one."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **message: object) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def receive(self) -> Frame:
        """Receive a frame."""
        frame = self.connection.recv(timeout=20)
        assert isinstance(frame, bytes)
        texts = []
        for _ in range(2):
            (size,) = struct.unpack_from(">H", frame)
            texts.append(frame[2 : 2 + size].decode())
            frame = frame[2 + size :]
        return Frame(*texts, frame)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a sidecar for npm's client."""
    with node_sidecar() as port:
        yield port


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    """A connection to it."""
    with connect(f"ws://localhost:{port}") as connection:
        yield Wire(connection)


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Origin": "null"}, {"Host": "rebound.example"}])
def test_pages_in_browsers_are_refused(port: int, headers: dict[str, str]) -> None:
    """No token keeps them out, so Origin and Host must."""
    address = ("127.0.0.1", port)
    host = headers.get("Host", "localhost")
    with (
        pytest.raises(InvalidStatus, match="403"),
        socket.create_connection(address) as opened,
        connect(f"ws://{host}:{port}", sock=opened, origin=headers.get("Origin")),  # type: ignore[arg-type]
    ):
        pass


def test_what_is_no_message_is_answered(wire: Wire, httpbin: str) -> None:
    """With an error for the request that it names, if any; the connection goes on."""
    wire.connection.send("{")
    assert wire.receive()[:2] == ("", "error")
    wire.connection.send(b"\xff\x00")
    assert wire.receive()[:2] == ("", "error")
    wire.send(requestId="a", action="dance")
    frame = wire.receive()
    assert (frame.request, frame.kind, frame.status, frame.text) == ("a", "error", 0, 'unknown action "dance"')
    wire.send(requestId="a", options={"url": f"{httpbin}/get"})
    frame = wire.receive()
    assert (frame.request, frame.kind, frame.status) == ("a", "response", 200)


def test_long_ids_stay_within_their_length(wire: Wire) -> None:
    """An id of more than 65535 bytes is cut where a frame cannot carry it."""
    name = "x" * 70_000
    wire.send(requestId=name, options={})
    assert wire.receive()[:2] == (name[:65535], "error")


def test_cancel_before_the_response(wire: Wire) -> None:
    """It is answered with an error, and the server is left."""
    asked, left = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        peer.read_all()
        left.set()

    with ScriptedServer(script) as server:
        wire.send(requestId="a", options={"url": server.url})
        assert asked.wait(20)
        wire.send(action="cancel", requestId="a")
        frame = wire.receive()
        assert (frame.kind, frame.status, frame.text) == ("error", 0, "cancelled")
        assert left.wait(20)


def test_exit_ends_one_connection(wire: Wire, port: int) -> None:
    """With a goodbye; the sidecar serves the others."""
    with connect(f"ws://localhost:{port}") as other:
        wire.send(action="exit")
        with pytest.raises(ConnectionClosedOK, match="exit"):
            wire.connection.recv(timeout=20)
        other.send("{}")
        assert other.recv(timeout=20)


def test_what_is_given_up_is_said() -> None:
    """On stderr, and as a token that is none; a port that is taken is one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    command = [*COMMAND, "--port", "0", "--idle-exit", "0.1"]
    served = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(served.stdout)["token_file"] is None
    assert "every program on this machine" in served.stderr
