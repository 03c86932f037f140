"""An HTTP/1.1 server that takes uploads as fast as a socket gives them.

nginx would answer before it had read the body, write it to a file, or hand it
to another server; here it is read to its end and dropped.
"""

from __future__ import annotations

import re
import socket
import sys
import threading

BUFFER = 1 << 20
END_OF_CHUNKS = b"\r\n0\r\n\r\n"


def serve(port: int) -> None:
    """Serve each connection in a thread, for ever."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=converse, args=(connection,), daemon=True).start()


def converse(connection: socket.socket) -> None:
    """Answer requests until the client leaves."""
    buffer = memoryview(bytearray(BUFFER))
    with connection:
        while request := read_head(connection):
            head, _, start = request.partition(b"\r\n\r\n")
            if b"expect: 100-continue" in head.lower():
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            drain(connection, head, start, buffer)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024)


def read_head(connection: socket.socket) -> bytes:
    """The head and whatever of the body came with it; nothing at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def drain(connection: socket.socket, head: bytes, start: bytes, buffer: memoryview) -> None:
    """Read the body to its end."""
    if b"transfer-encoding: chunked" in head.lower():
        tail = start[-len(END_OF_CHUNKS) :]
        while tail != END_OF_CHUNKS:
            n = connection.recv_into(buffer)
            tail = (tail + bytes(buffer[max(0, n - len(END_OF_CHUNKS)) : n]))[-len(END_OF_CHUNKS) :]
            if not n:
                return
        return
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    left = (int(length[1]) if length else 0) - len(start)
    while left > 0 and (n := connection.recv_into(buffer, min(left, BUFFER))):
        left -= n


if __name__ == "__main__":
    serve(int(sys.argv[1]))
