"""The server."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import uvicorn

from ._app import Endpoints, Gate, make_app
from ._http import Running, direct_protocol
from ._limits import Limits
from ._output import Output
from ._uploads import FilenameGenerator
from ._wire import DEFAULT_PORT

_BACKLOG = 512


class IndexCPServer:
    """Stores what clients upload. Leaving its ``with`` block closes it.

    Args:
        output_dir: where files go, made where it is not there; the current directory by default.
        port: to listen on; 0 is any that is free, and ``port`` tells which.
        api_key: what clients must have; made up by default, see ``api_key``.
        filename_generator: chooses names, called once a file with the client's name, the index of the chunk that came
            first and the request. What it returns is a wish: it cannot leave the folder or replace a file.
        host: address to listen on. Whoever reaches another one than the default needs TLS in front of it.
        limits: what is put up with.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str] | None = None,
        port: int = DEFAULT_PORT,
        api_key: str | None = None,
        filename_generator: FilenameGenerator | None = None,
        *,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
    ) -> None:
        self.output_dir = Path(output_dir) if output_dir is not None else Path.cwd()
        self.port = port
        self.host = host
        self.api_key = api_key or self.generate_api_key()
        self.filename_generator = filename_generator
        self.limits = limits or Limits()
        self._server: Running | None = None
        self._thread: threading.Thread | None = None

    @staticmethod
    def generate_api_key() -> str:
        """Return a new random key of 64 hexadecimal digits."""
        return secrets.token_hex(32)

    @property
    def url(self) -> str:
        """What clients upload to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/upload"

    def listen(self, port: int | None = None, callback: Callable[[], object] | None = None) -> None:
        """Serve until :meth:`close` is called or a signal ends the process.

        Args:
            port: instead of the constructor's.
            callback: called when connections are accepted; nothing is answered until it returns.

        Raises:
            OSError: the port or the folder cannot be had.
            FolderInUse: another server has the folder.
        """
        with self._listening(port) as listener:
            self._serve(listener, callback or (lambda: None))

    def start(self, callback: Callable[[], object] | None = None) -> None:
        """Serve in a thread; when this returns, connections are accepted.

        Args:
            callback: called when they are.

        Raises:
            OSError: the port or the folder cannot be had.
            FolderInUse: another server has the folder.
        """
        begun = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                with listener:
                    self._serve(listener, begun.set)
            except BaseException as exc:
                failures.append(exc)
            finally:
                begun.set()

        listener = self._listening(None)
        self._thread = threading.Thread(target=run, name="indexcp-server", daemon=True)
        self._thread.start()
        begun.wait()
        if failures:
            self._thread = None
            raise failures[0]
        if callback is not None:
            callback()

    def close(self) -> None:
        """Stop serving and wait until that is done; closing twice is harmless."""
        server, thread = self._server, self._thread
        if server is not None:
            server.should_exit = True
        if thread is not None and thread is not threading.current_thread():
            thread.join()
            self._thread = None

    def __enter__(self) -> IndexCPServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _listening(self, port: int | None) -> socket.socket:
        if self._server is not None:
            raise RuntimeError("the server is running")
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.create_server(
            (self.host, self.port if port is None else port), family=family, backlog=_BACKLOG
        )
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.limits.receive_buffer)
        self.port = listener.getsockname()[1]
        return listener

    def _serve(self, listener: socket.socket, begun: Callable[[], object]) -> None:
        output = Output(self.output_dir)
        endpoints = Endpoints(output, Gate(self.api_key, self.limits), self.limits, self.filename_generator)
        try:
            config = uvicorn.Config(
                make_app(endpoints),
                http=direct_protocol(self.limits.head_timeout),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=int(self.limits.keep_alive),
                limit_concurrency=self.limits.max_connections,
                timeout_graceful_shutdown=5,
            )
            self._server = Running(config, begun)
            self._server.run(sockets=[listener])
        finally:
            self._server = None
            endpoints.close()
            output.close()
