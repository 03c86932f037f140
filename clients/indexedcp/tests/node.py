"""A stand-in for the Node server: what it answers, and what it loses.

It appends what arrives, as it arrives, to a file that it chooses by the name alone, and acknowledges a chunk when its
last byte was read. It knows neither ids nor questions.
"""

from __future__ import annotations

import json
import posixpath
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

KEY: Final = "node key"
Mode = Literal["first", "sanitize", "ignore"]


class NodeServer:
    """A server that runs while its ``with`` block does.

    Args:
        folder: where files go.
        mode: "first" is the first version, which takes the last part of a path; "sanitize" and "ignore" are ways of
            the second, of which one refuses paths and the other makes a new name for every chunk.

    Attributes:
        seen: the headers of each chunk.
        answer_with: statuses of the next answers, instead of storing; 0 hangs up after the body was read.
    """

    def __init__(self, folder: Path, mode: Mode = "first") -> None:
        folder.mkdir()
        self.seen: list[dict[str, str]] = []
        self.answer_with: list[int] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                node._post(self, folder, mode)

            def do_GET(self) -> None:
                _answer(self, 404, b"Not Found", "text/plain")

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """What clients upload to."""
        return f"http://127.0.0.1:{self._server.server_port}/upload"

    def __enter__(self) -> NodeServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _post(self, handler: BaseHTTPRequestHandler, folder: Path, mode: Mode) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.path != "/upload":
            _answer(handler, 404, b"Not Found", "text/plain")
        elif handler.headers["Authorization"] != f"Bearer {KEY}":
            _answer(handler, 401, b'{"error":"Invalid or missing API key"}')
        elif self.answer_with and (status := self.answer_with.pop(0)) != 200:
            if status:
                _answer(handler, status, b'{"error":"Write error","message":"played"}')
            handler.close_connection = True
        else:
            self._store(handler, folder, mode, body)

    def _store(self, handler: BaseHTTPRequestHandler, folder: Path, mode: Mode, body: bytes) -> None:
        self.seen.append(dict(handler.headers))
        index, name = int(handler.headers["X-Chunk-Index"]), handler.headers["X-File-Name"]
        if mode == "sanitize" and posixpath.basename(name) != name:
            _answer(handler, 400, b'{"error":"Invalid filename","message":"no path separators"}')
            return
        actual = f"{len(self.seen)}_{posixpath.basename(name)}" if mode == "ignore" else posixpath.basename(name)
        with (folder / actual).open("ab") as file:
            file.write(body)
        answer = {"message": "Chunk received", "actualFilename": actual, "chunkIndex": index, "clientFilename": name}
        _answer(handler, 200, json.dumps(answer).encode())


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
