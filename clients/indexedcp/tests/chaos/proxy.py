"""A TCP proxy that cuts, stalls, repeats, reorders and spoils what passes it."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_BLOCK = 16384


@dataclass(frozen=True)
class Weather:
    """How bad it is.

    Attributes:
        cut: the chance that a connection breaks on the way to the server, within its first ``within`` bytes.
        lose: the chance that an answer is lost.
        stall: the chance that a connection stands still for a while.
        repeat: the chance that a request arrives a second time.
        spoil: the chance that a byte of a body is changed.
        within: bytes.
    """

    cut: float = 0.0
    lose: float = 0.0
    stall: float = 0.0
    repeat: float = 0.0
    spoil: float = 0.0
    within: int = 200_000


class Proxy:
    """Passes connections on.

    Args:
        listener: where clients connect to.
        server: tells the server's address, None while there is none.
        weather: tells the faults that a new connection may have.
        rng: when they happen.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: Callable[[], tuple[str, int] | None],
        weather: Callable[[], Weather],
        rng: random.Random,
    ) -> None:
        self._listener, self._server, self._weather, self._rng = listener, server, weather, rng
        self.sent = 0
        """Bytes that clients have sent."""

    def serve(self) -> None:
        """Pass connections on until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                seed = self._rng.random()
                threading.Thread(target=self._pass, args=(client, random.Random(seed)), daemon=True).start()

    def _pass(self, client: socket.socket, rng: random.Random) -> None:
        with contextlib.suppress(OSError):
            try:
                self._requests(client, rng)
            finally:
                client.close()

    def _requests(self, client: socket.socket, rng: random.Random) -> None:
        upstream = self._connect()
        if upstream is None:
            _reset(client)
            return
        weather, budget = self._weather(), -1
        if rng.random() < weather.cut:
            budget = rng.randrange(weather.within)
        with upstream:
            while True:
                request = _Request()
                budget = self._forward(client, upstream, request, budget, weather, rng)
                if budget == 0 or not request.whole:
                    return
                answer = _answer(upstream)
                if not answer or rng.random() < weather.lose:
                    _reset(client) if rng.random() < 0.5 else client.close()
                    return
                client.sendall(answer)
                if rng.random() < weather.repeat:
                    self._repeat(request)

    def _forward(
        self,
        client: socket.socket,
        upstream: socket.socket,
        request: _Request,
        budget: int,
        weather: Weather,
        rng: random.Random,
    ) -> int:
        """Pass a request on; return what is left of the bytes that may pass, 0 where it was cut."""
        if rng.random() < weather.stall:
            time.sleep(rng.random() * 0.05)
        spoil = rng.random() < weather.spoil
        while not request.whole:
            data = client.recv(_BLOCK)
            if not data:
                return budget
            self.sent += len(data)
            request.take(data)
            if 0 <= budget <= len(data):
                upstream.sendall(data[:budget])
                self._break(client, upstream, rng)
                return 0
            budget -= len(data) if budget > 0 else 0
            if spoil and request.body_begun and len(data) > 1:
                data, spoil = bytes([*data[:-1], data[-1] ^ 1]), False
            upstream.sendall(data)
        return budget

    def _break(self, client: socket.socket, upstream: socket.socket, rng: random.Random) -> None:
        how = rng.choice(("reset", "close", "half", "stall"))
        if how == "half":
            upstream.shutdown(socket.SHUT_WR)
            upstream.settimeout(0.2)
            with contextlib.suppress(OSError):
                upstream.recv(_BLOCK)
        if how == "stall":
            time.sleep(rng.random() * 0.1)
        if how == "reset":
            _reset(upstream)
            _reset(client)

    def _repeat(self, request: _Request) -> None:
        """Send a request again, as something on the way may; nobody waits for the answer."""
        if again := self._connect():
            with again:
                again.sendall(request.data)
                _answer(again)

    def _connect(self) -> socket.socket | None:
        address = self._server()
        if address is None:
            return None
        try:
            connected = socket.create_connection(address, timeout=20)
        except OSError:
            return None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected


class _Request:
    """A request as it passes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._size = -1

    def take(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if self._size < 0 and end >= 0:
            length = _LENGTH.search(self.data[: end + 2])
            self._size = end + 4 + (int(length[1]) if length else 0)

    @property
    def whole(self) -> bool:
        return 0 <= self._size <= len(self.data)

    @property
    def body_begun(self) -> bool:
        return 0 <= self._size and self.data.find(b"\r\n\r\n") + 4 < len(self.data)


def _answer(upstream: socket.socket) -> bytes:
    """Read one answer, empty where there is none."""
    answer = _Request()
    while not answer.whole:
        data = upstream.recv(_BLOCK)
        if not data:
            return b""
        answer.take(data)
    return bytes(answer.data)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
