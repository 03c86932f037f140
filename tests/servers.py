"""Local servers to test against: httpbin over HTTP, HTTPS and HTTP/2, and one that plays a script.

Every listening socket is bound to port 0 of the loopback address here and handed to the server, so that a port is never
guessed and a client that is quicker than the server waits in the socket's queue.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import trustme

HERE = Path(__file__).parent
READY = 60.0  # seconds: a start takes 1.5, or ten times that on a busy machine
GUNICORN = (
    "gunicorn",
    "--worker-class=gthread",
    "--threads=32",
    "--keep-alive=15",
    "--log-level=error",
    "httpbin_app:wsgi",
)
HYPERCORN = ("hypercorn", "--keep-alive=15", "--log-level=error", "httpbin_app:asgi")


class Certificates(NamedTuple):
    """PEM files of a test authority: what a client trusts and what a server shows."""

    authority: Path
    server: Path


class Servers(NamedTuple):
    """The base addresses of one httpbin over three transports."""

    http: str
    https: str
    http2: str


def issue_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate of it for the loopback names."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
    paths = Certificates(folder / "ca.pem", folder / "server.pem")
    authority.cert_pem.write_to_path(str(paths.authority))
    issued.private_key_and_cert_chain_pem.write_to_path(str(paths.server))
    return paths


@contextmanager
def httpbin_servers(certificates: Certificates) -> Iterator[Servers]:
    """Serve httpbin by gunicorn over HTTP and HTTPS and by hypercorn over HTTP/2 and TLS."""
    tls = (f"--certfile={certificates.server}", f"--keyfile={certificates.server}")
    with ExitStack() as stack:
        ports = [
            stack.enter_context(_process(command)) for command in (GUNICORN, (*GUNICORN, *tls), (*HYPERCORN, *tls))
        ]
        for port in ports:
            _await_answer(port)
        yield Servers(f"http://127.0.0.1:{ports[0]}", f"https://localhost:{ports[1]}", f"https://localhost:{ports[2]}")


@contextmanager
def _process(command: tuple[str, ...]) -> Iterator[int]:
    """Run a server module of Python on a socket of ours and yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port: int = listener.getsockname()[1]
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *command, f"--bind=fd://{fd}"],
            pass_fds=[fd],
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is for the tests alone
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _await_answer(port: int) -> None:
    """Return when a server reads from its socket; one that died resets the connection and raises here."""
    with socket.create_connection(("127.0.0.1", port), timeout=READY) as probe:
        probe.sendall(b"not a request, nor a TLS record\r\n\r\n")
        probe.recv(1)


class Peer:
    """The server's end of one connection, as a script plays it."""

    def __init__(self, connection: socket.socket, stopped: threading.Event) -> None:
        self._socket = connection
        self._stopped = stopped
        self._unread = b""

    def read_head(self) -> bytes:
        """Read up to and including the empty line that ends a request's head; empty when the client has gone."""
        while b"\r\n\r\n" not in self._unread:
            if not self._receive():
                return b""
        head, mark, self._unread = self._unread.partition(b"\r\n\r\n")
        return head + mark

    def read_exactly(self, size: int) -> bytes:
        """Read so many bytes, or fewer where the client ends early."""
        while len(self._unread) < size and self._receive():
            pass
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def read_all(self) -> bytes:
        """Read until the client closes its side: the way to say nothing more without hanging up."""
        while self._receive():
            pass
        data, self._unread = self._unread, b""
        return data

    def await_end(self) -> None:
        """Return when the client has hung up: a FIN or, where it had something unread, a RST."""
        with suppress(ConnectionResetError):
            self.read_all()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def drip(self, data: bytes, seconds: float) -> None:
        """Send byte by byte, so many seconds apart, until all is sent or the server is stopped."""
        for position in range(len(data)):
            if self._stopped.wait(seconds):
                return
            self._socket.sendall(data[position : position + 1])

    def relay(self, port: int) -> None:
        """Pass on what comes, both ways, until either side ends: what a proxy does once it has led on."""
        with socket.create_connection(("127.0.0.1", port)) as onward:
            onward.sendall(self._unread)
            ways = {self._socket: onward, onward: self._socket}
            while True:
                readable, _, _ = select.select(ways, (), ())
                for source in readable:
                    data = source.recv(65536)
                    if not data:
                        return
                    ways[source].sendall(data)

    def end(self) -> None:
        """Send a FIN and go on reading: a half-closed connection."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Hang up with a RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _receive(self) -> bool:
        data = self._socket.recv(65536)
        self._unread += data
        return bool(data)


Script = Callable[[Peer], None]


class ScriptedServer:
    """Plays one script to each connection: the first to the first, and so on, the last to all that follow.

    A connection is closed when its script returns. What a script raises, other than a broken connection, is raised when
    the server is left.
    """

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._acceptor = threading.Thread(target=self._accept)
        self._players: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._failures: list[BaseException] = []
        port: int = self._listener.getsockname()[1]
        self.url = f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}"

    @property
    def connections(self) -> int:
        """How many connections have been accepted."""
        return len(self._sockets)

    def __enter__(self) -> ScriptedServer:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        _hang_up(self._listener)
        self._acceptor.join()
        for connection in self._sockets:
            _hang_up(connection)
        for player in self._players:
            player.join()
        for opened in (self._listener, *self._sockets):
            opened.close()
        if self._failures and error is None:
            raise self._failures[0]

    def _accept(self) -> None:
        with suppress(OSError):  # of accept, when __exit__ shuts the listener down
            while True:
                connection, _ = self._listener.accept()
                if self._context:  # the handshake belongs to the script's thread: a client may never finish it
                    connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._sockets.append(connection)
                script = self._scripts[min(self.connections, len(self._scripts)) - 1]
                player = threading.Thread(target=self._play, args=(script, connection))
                self._players.append(player)
                player.start()

    def _play(self, script: Script, connection: socket.socket) -> None:
        try:
            with connection:
                if isinstance(connection, ssl.SSLSocket):
                    connection.do_handshake()
                script(Peer(connection, self._stopped))
        except OSError:
            return  # the client hung up, which is for the test to expect or not
        except BaseException as error:
            self._failures.append(error)


def _hang_up(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
