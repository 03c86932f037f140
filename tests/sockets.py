"""Servers of WebSockets to test against: one that sends back, and the handshake of one that plays a script."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from servers import Peer
from websockets.sync.server import Server, ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    """Send back what comes; what begins with "close" ends it with a code of its own."""
    for message in connection:
        if isinstance(message, str) and message.startswith("close "):
            connection.close(int(message[6:]), "as you wish")
            return
        connection.send(message)


@contextmanager
def served(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[Server]:
    """Run a server of the websockets package; no client of these tests may leave it in an error."""
    with serve(handler, "127.0.0.1", 0, max_size=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: Server, scheme: str = "ws") -> str:
    return f"{scheme}://localhost:{server.socket.getsockname()[1]}/"


def accept(peer: Peer, *fields: str) -> str:
    """Accept a handshake as a server would, and return its head."""
    head = peer.read_head().decode()
    key = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
    proof = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    said = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *fields)
    peer.send("\r\n".join([*said, f"Sec-WebSocket-Accept: {proof}", "", ""]).encode())
    return head
