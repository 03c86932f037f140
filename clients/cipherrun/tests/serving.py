"""Running the stand-in on loopback, and a proxy before it that breaks connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from standin import Scan, Setup, Standin

T = TypeVar("T")


class Running:
    """A stand-in that serves from a thread of its own.

    Attributes:
        url: of the server.
        standin: its state.
    """

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        config = uvicorn.Config(
            standin.app,
            log_level="critical",
            date_header=False,  # tests have their own
            ws="wsproto",
            ws_ping_interval=standin.setup.ping,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        asyncio.run(self._serve_in_loop())

    async def _serve_in_loop(self) -> None:
        self._started.set_result(asyncio.get_running_loop())
        await self._server.serve(sockets=[self._socket])

    def __enter__(self) -> Running:
        self._thread.start()
        self.loop = self._started.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def do(self, what: Callable[[], T]) -> T:
        """Do something to the state on the thread that owns it."""

        async def done() -> T:
            return what()

        return self.wait(done())

    def wait(self, what: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the server runs, and return its result."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def scan(self, scan_id: str) -> Scan:
        """Return a scan that the server still knows."""
        return self.do(lambda: self.standin.scans[scan_id])

    def release(self, scan_id: str) -> None:
        """Let a scan of a target ``hold…`` go on."""
        self.do(self.standin.scans[scan_id].released.set)


@contextmanager
def serving() -> Iterator[Running]:
    """Run a stand-in until the block ends."""
    with Running(Standin(Setup())) as running:
        yield running


def main() -> None:
    """Serve on the port of the real server, for examples and the command line."""
    print("a stand-in for the CipherRun server, http://localhost:8080, API key: user", flush=True)
    uvicorn.run(Standin(Setup(pace=0.3)).app, host="127.0.0.1", port=8080, log_level="warning", ws="wsproto")


if __name__ == "__main__":
    main()
