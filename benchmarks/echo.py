"""A WebSocket server that sends back what it is sent, with as little of its own as can be.

A complete one would cost more than the clients, and hide them. It takes what
clients of these benchmarks send: whole messages below 64 KiB, not compressed.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
EXTENDED = 126  # a length that does not fit into seven bits
CLOSE = 8


def serve(port: int) -> None:
    """Serve each connection in a thread, for ever."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=converse, args=(connection,), daemon=True).start()


def converse(connection: socket.socket) -> None:
    """Accept a handshake and echo until the client says goodbye."""
    with connection:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        key = re.search(rb"(?i)\r\nsec-websocket-key: *(\S+)", head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + GUID).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        echo(connection, data)


def echo(connection: socket.socket, data: bytes) -> None:
    """Send back every frame, without its mask."""
    while True:
        while not (size := frame_size(data)) or len(data) < size:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        start = 2 if data[1] & 127 < EXTENDED else 4
        payload, mask = data[start + 4 : size], data[start : start + 4]
        connection.sendall(data[:1] + bytes([data[1] & 127]) + data[2:start] + unmasked(payload, mask))
        if data[0] & 15 == CLOSE:
            return
        data = data[size:]


def frame_size(data: bytes) -> int:
    """Bytes of the frame that data begins with; 0 where that cannot be told yet."""
    if len(data) < 4:
        return 0
    length = data[1] & 127
    return 2 + 4 + length if length < EXTENDED else 4 + 4 + int.from_bytes(data[2:4], "big")


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """Take the mask off, as one large number."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
