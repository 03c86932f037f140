"""The simple server: no key, one file, for trying things out on one's own machine."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from ._folder import sync_data, write_at
from ._limits import Limits
from ._wire import DEFAULT_NAME, DEFAULT_PORT

_LIMITS: Final = Limits()


class _Appender(ThreadingHTTPServer):
    """An HTTP server that appends bodies to a file."""

    daemon_threads = True

    def __init__(self, path: Path, address: tuple[str, int]) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        self._lock = threading.Lock()
        try:
            super().__init__(address, _Handler)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, chunk: bytes) -> None:
        """Put a chunk at the end of the file and on disk; a part of it is never left there."""
        with self._lock:
            end = os.fstat(self._descriptor).st_size
            try:
                write_at(self._descriptor, chunk, end)
                sync_data(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, end)
                raise

    def server_close(self) -> None:
        """Close the socket and the file."""
        super().server_close()
        os.close(self._descriptor)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _LIMITS.idle_timeout
    server: _Appender

    def do_POST(self) -> None:
        """Append a chunk."""
        announced = self.headers.get("Content-Length", "")
        if self.path != "/upload":
            self._answer(404, b"", hang_up=True)
        elif not announced.isdecimal():
            self._answer(411, b"", hang_up=True)
        elif int(announced) > _LIMITS.max_chunk_bytes:
            self._answer(413, b"", hang_up=True)
        else:
            self._store(int(announced))

    def do_GET(self) -> None:
        """There is nothing to get."""
        self._answer(404, b"")

    def _store(self, length: int) -> None:
        chunk = self.rfile.read(length)
        if len(chunk) < length:
            self.close_connection = True
            return
        try:
            self.server.append(chunk)
        except OSError as exc:
            self._answer(500, f"{exc.strerror}\n".encode(), hang_up=True)
        else:
            self._answer(200, b"Chunk received\n")

    def _answer(self, status: int, body: bytes, *, hang_up: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if hang_up:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def create_simple_server(output_file: str | os.PathLike[str] | None = None, port: int = DEFAULT_PORT) -> HTTPServer:
    """Return a server on loopback that asks for no key and appends every chunk to one file, for development alone.

    Args:
        output_file: the file; ``uploaded_file.txt`` by default.
        port: to listen on; 0 is any that is free.

    Returns:
        The server, listening; ``serve_forever()`` serves.
    """
    return _Appender(Path(output_file if output_file is not None else DEFAULT_NAME), ("127.0.0.1", port))
