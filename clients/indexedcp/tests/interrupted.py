"""How many bytes an upload sends that is interrupted many times.

    python -m interrupted [--how cut|client|server] [--mebibytes 100] [--times 20]     (with tests on PYTHONPATH)

A proxy between both ends counts what the client sends. Each time that another part of the file has passed, it cuts all
connections, or kills the client or the server, which then begins again.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Literal

from indexedcp import IndexCPClient, IndexCPServer

import cycletls

How = Literal["cut", "client", "server"]
KEY: Final = "interrupted"
_SPAWN: Final = multiprocessing.get_context("spawn")
_BLOCK: Final = 16384


class CountingProxy:
    """Passes connections on, counts what clients send, and calls when another part has passed.

    Args:
        part: bytes.
        passed: called in the thread of a connection, which stands still until it returns.

    Attributes:
        server: the port to pass to.
        sent: bytes that clients have sent.
    """

    def __init__(self, part: int, passed: Callable[[], None]) -> None:
        self.server = 0
        self.sent = 0
        self._part, self._passed, self._next = part, passed, part
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more, and cut what there is."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server)) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BLOCK)  # what waits here has not arrived anywhere
            self._open |= {client, server}
            answers = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            answers.start()
            while data := client.recv(_BLOCK):
                self._count(len(data))
                server.sendall(data)
                self._interrupt_if_due()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answers.join()
            self._open -= {client, server}

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BLOCK):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> None:
        with self._lock:
            self.sent += size

    def _interrupt_if_due(self) -> None:
        with self._lock:
            if self.sent >= self._next:
                self._next += self._part
                self._passed()


class Interrupted:
    """An upload that is interrupted.

    Args:
        folder: for its files.
        size: bytes of the file.
        times: how often.
        how: what happens to whom.
    """

    def __init__(self, folder: Path, size: int, times: int, how: How) -> None:
        self._folder, self._how, self._times = folder, how, times
        self._source = folder / "large.bin"
        self._source.write_bytes(os.urandom(size))
        self._server: BaseProcess | None = None
        self._client: BaseProcess | None = None
        self.interruptions = 0
        self.proxy = CountingProxy(size // (times + 1), self._interrupt)

    def run(self) -> float:
        """Upload until the file is there; return how many bytes were sent for each that it has."""
        try:
            self._start_server()
            while not self._upload():
                if self._server is None or not self._server.is_alive():
                    self._start_server()
        finally:
            self.proxy.close()
            for process in (self._server, self._client):
                if process is not None:
                    process.kill()
                    process.join()
        data = self._source.read_bytes()
        if (self._folder / "out" / self._source.name).read_bytes() != data:
            raise AssertionError("the file is another one")
        return self.proxy.sent / len(data)

    def _start_server(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        self._server = _SPAWN.Process(target=serve, args=(str(self._folder / "out"), theirs), daemon=True)
        self._server.start()
        self.proxy.server = ours.recv()

    def _upload(self) -> bool:
        arguments = (str(self._source), self.proxy.port, 0 if self._how == "cut" else 4)
        self._client = _SPAWN.Process(target=upload, args=arguments, daemon=True)
        self._client.start()
        self._client.join()
        return self._client.exitcode == 0

    def _interrupt(self) -> None:
        if self.interruptions == self._times:
            return
        self.interruptions += 1
        if self._how == "cut":
            self.proxy.cut()
            return
        victim = self._client if self._how == "client" else self._server
        assert victim is not None
        victim.kill()
        victim.join()
        if self._how == "server":
            self._start_server()


def serve(folder: str, pipe: object) -> None:
    """Serve until killed."""
    with IndexCPServer(folder, 0, KEY) as server:
        server.start()
        pipe.send(server.port)  # type: ignore[attr-defined]  # a Connection, whose type depends on the platform
        time.sleep(3600)


def upload(source: str, port: int, retries: int) -> None:
    """Buffer a file, unless that was done, and upload what is there."""
    with IndexCPClient(retries=retries) as client:
        client.api_key = KEY
        client.add_file(source)
        try:
            client.upload_buffered_files(f"http://127.0.0.1:{port}/upload")
        except cycletls.RequestException:
            os._exit(1)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m interrupted", description=__doc__)
    parser.add_argument("--how", choices=("cut", "client", "server"), default="cut")
    parser.add_argument("--mebibytes", type=int, default=100)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["HOME"] = name
        run = Interrupted(Path(name), arguments.mebibytes << 20, arguments.times, arguments.how)
        ratio = run.run()
    more = f"{(ratio - 1) * 100:.2f} % more than the file has"
    print(f"{arguments.mebibytes} MiB, {run.interruptions} interruptions ({arguments.how}): {more}")


if __name__ == "__main__":
    main()
