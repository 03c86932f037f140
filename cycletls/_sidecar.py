"""The library in another process: each verb is a message on a WebSocket connection on loopback.

A thread that waits has a connection for itself, taken from a pool, so that
waiting is a plain receive which signals interrupt. An event loop has one for all
that it waits for. One more, the anchor, is never used: as long as it is open
the sidecar is there, and keeps what this process has.

Whatever ends a connection ends what was sent on it: the sidecar cancels that.
One that a thread waits for is asked from time to time whether it still answers.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import weakref
from collections import deque
from contextlib import suppress
from itertools import count
from select import POLLIN, poll

from . import _ffi
from ._exceptions import ForkError, InvalidOption, LibraryError, SidecarDied
from ._launch import Process
from ._transfer import CALL, Outcome, Reply, Step, receive, run
from ._version import __version__
from ._wire import CANCEL, CLOSE, LEAST_PART, Arrived, arrived, order, orders

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Final

    from ._streams import Bytes
    from ._transfer import Done

_BUFFER: Final = 256 * 1024
_BEGINNING: Final = 64
"""Bytes that are received of a reply that others follow: enough for its numbers, and nothing of the next one."""
_IDLE: Final = 64
"""Connections that wait for the next thread; more are closed."""
_PATIENCE: Final = 10.0
"""Seconds that a sidecar may take for a handshake, and be silent before it is asked for another one."""
_MAX_HEAD: Final = 8192

_FORKED: Final = "what was open before this process was forked stays with the parent: begin anew in the child"


class _Ended(ConnectionError):
    """The other side has ended a connection."""


class _Silent(_Ended):
    """The other side is there and does not answer."""


class _Socket:
    """A connection to a sidecar, after the handshake.

    Args:
        address: host and port.
        token: what the sidecar asks for.
        client: which process this is.
    """

    __slots__ = ("__weakref__", "_to", "raw")

    def __init__(self, address: tuple[str, int], token: str, client: str) -> None:
        self._to = address, token, client
        self.raw = socket.create_connection(address, _PATIENCE)
        try:
            self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            self.raw.sendall(
                f"GET / HTTP/1.1\r\nHost: {host}:{address[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {client[:22]}==\r\n"
                f"Authorization: Bearer {token}\r\nCycletls-Client: {client}\r\n"
                f"Cycletls-Version: {__version__}\r\n\r\n".encode()
            )
            self._check(self._answer())
            self.raw.settimeout(None)
            # The kernel's limits: Python's own would cost a call more for every receive.
            patience = struct.pack("ll", int(_PATIENCE), int(_PATIENCE % 1 * 1e6))
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        except BaseException:
            self.raw.close()
            raise
        _open.add(self)

    def _answer(self) -> bytes:
        """Read the answer to the handshake: what follows it waits for a message of ours."""
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD:
            piece = self.raw.recv(_MAX_HEAD)
            if not piece:
                raise _Ended("the sidecar ended the connection in its handshake")
            head += piece
        return head

    def _check(self, head: bytes) -> None:
        status, _, rest = head.partition(b"\r\n")
        if status.startswith(b"HTTP/1.1 101 "):
            return
        words = status.split(b" ", 2)
        reason = rest.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
        raise InvalidOption(f"the sidecar refuses: {words[-1].decode('utf-8', 'replace')}: {reason}")

    def send(self, data: Bytes) -> None:
        """Send all of it, however long the sidecar takes as long as it is there."""
        rest = memoryview(data).cast("B")
        while rest:
            try:
                rest = rest[self.raw.send(rest) :]
            except BlockingIOError:
                self._probe()

    def receive(self, room: memoryview) -> int:
        """Receive what there is, however long that takes as long as the sidecar is there."""
        while True:
            try:
                got = self.raw.recv_into(room)
            except BlockingIOError:
                self._probe()
                continue
            if not got:
                raise _Ended("the sidecar ended the connection")
            return got

    def _probe(self) -> None:
        """Find out whether the sidecar, which has been silent for long, answers: a process may be there and stand."""
        _connected(*self._to).end()

    def end(self) -> None:
        """End the connection, and with it what was sent on it."""
        with suppress(OSError):
            self.raw.shutdown(socket.SHUT_RDWR)  # forked processes may hold it, too
        self.raw.close()


def _connected(address: tuple[str, int], token: str, client: str) -> _Socket:
    try:
        return _Socket(address, token, client)
    except TimeoutError as exc:
        raise _Silent("the sidecar does not answer") from exc


class _Line:
    """A connection that is used for one step at a time."""

    __slots__ = ("_buffer", "_connection", "_tickets", "_view", "end")

    def __init__(self, connection: _Socket) -> None:
        self._connection = connection
        self.end = connection.end
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._tickets = count(1)

    def perform(self, step: Step) -> Done:
        """Take a step and wait for what comes of it."""
        ticket = next(self._tickets)
        if len(step.data):
            for piece in orders(ticket, step):
                self._connection.send(piece)
        else:
            self._connection.send(next(orders(ticket, step)))
        room, before = step.buffer, 0
        while True:
            reply, done = self._reply(room)
            if not reply.partly or room is None:
                return reply.after(before, done)
            room = memoryview(room)[done[3] :]
            before += done[3]

    def _reply(self, room: memoryview | bytearray | None) -> tuple[Arrived, Done]:
        """Receive a reply, the body of it into a room where there is one."""
        size, end = 0, _BUFFER if room is None or len(room) <= LEAST_PART else _BEGINNING
        while True:
            size += self._connection.receive(self._view[size:end])
            reply = arrived(self._buffer, 0, size)
            if reply is not None:
                end = min(reply.end, len(self._buffer))
                if size >= end or (size >= reply.body and room is not None):
                    break
        whole = self._view
        if reply.end > len(self._buffer) and (room is None or reply.body > size):
            whole = memoryview(bytearray(reply.end))
            whole[:size] = self._view[:size]
            self._fill(whole, size)
            size = reply.end
        if room is None:
            return reply, reply.done(whole, bytes(whole[reply.body : reply.end]))
        there = size - reply.body
        into = memoryview(room)[: reply.end - reply.body]
        into[:there] = whole[reply.body : size]
        self._fill(into, there)
        return reply, reply.done(whole, b"")

    def _fill(self, room: memoryview, size: int) -> None:
        while size < len(room):
            size += self._connection.receive(room[size:])


class Sidecar:
    """A way to the library in another process; see :class:`cycletls._transfer.Carrier`.

    When that process ends, or this one is forked, it is dead for good: another one takes its place.

    Args:
        address: where the sidecar listens.
        token: what it asks for.
        process: where it is one of our own.
    """

    remote: Final = True

    def __init__(self, address: tuple[str, int], token: str, process: Process | None = None) -> None:
        self._address = address
        self._token = token
        self._process = process
        self._client = os.urandom(16).hex()
        self._idle: list[_Line] = []
        self._dead: Exception | None = None
        self._anchor = _Socket(address, token, self._client)
        self._end = weakref.finalize(self, _end, self._anchor, self._idle, process)
        _all.add(self)

    @property
    def alive(self) -> bool:
        """Whether the sidecar is there."""
        if self._dead is None:
            glance = poll()  # threads cannot share one
            glance.register(self._anchor.raw, POLLIN)
            if glance.poll(0):
                self._died()
        return self._dead is None

    def exchange(self, session: int, envelope: bytes, body: bytes | None, /) -> Reply:
        """Send a request whose body, if any, is at hand, and return the response with its body."""
        outcome = self.perform(Step(CALL, session, envelope, body or b""))
        if not outcome.handle or not outcome.status:
            return Reply(outcome.status, outcome.head, outcome.content)
        return run(self.perform, receive(self, outcome, False))

    def perform(self, step: Step, /) -> Outcome:
        """Take a step on the calling thread.

        Raises:
            SidecarDied: the sidecar ended.
            ForkError: this process was forked since.
            BaseException: whatever a signal handler raised meanwhile; what was sent is cancelled.
        """
        line = self._line()
        try:
            outcome = Outcome(*line.perform(step))
        except BaseException as exc:
            line.end()
            if isinstance(exc, (ConnectionError, SidecarDied)):
                raise self._died(exc) from exc
            raise
        if len(self._idle) < _IDLE:
            self._idle.append(line)
        else:
            line.end()
        return outcome

    def message(self, target: int, envelope: bytes, /) -> bytes:
        """Send a message that is not a request and return the answering envelope."""
        return self.perform(Step(CALL, target, envelope)).head

    def cancel(self, handle: int, /) -> None:
        """End an exchange, or what a cancel token was given to."""
        if self._dead is None:
            with suppress(SidecarDied):
                self.perform(Step(CANCEL, handle))

    def close(self, handle: int, /) -> None:
        """End a session, an exchange or a token; twice is harmless."""
        if self._dead is None:
            with suppress(SidecarDied):  # so has what the handle named
                self.perform(Step(CLOSE, handle))

    writable = staticmethod(_ffi.writable)

    def queue(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object], /) -> SidecarQueue:
        """Return what works in the background of an event loop."""
        return SidecarQueue(self, self._connect(), loop, wake)

    def _line(self) -> _Line:
        if self._dead is not None:
            raise self._dead
        try:
            return self._idle.pop()
        except IndexError:
            return _Line(self._connect())

    def _connect(self) -> _Socket:
        if self._dead is not None:
            raise self._dead
        try:
            return _connected(self._address, self._token, self._client)
        except ConnectionError as exc:
            raise self._died(exc) from exc

    def _died(self, why: Exception | None = None) -> Exception:
        """Note that the sidecar has ended, and return how to say so."""
        if self._dead is None:
            if isinstance(why, _Silent) and self._process is not None:
                self._process.kill()
            name = "the sidecar" if self._process is None else f"the sidecar process {self._process.pid}"
            self._dead = SidecarDied(
                f"{name} ended: what was under way is not sent again, and cookies that it held are lost; "
                "the next request goes through another one"
            )
            self._end()
        return self._dead

    def inherit(self) -> None:
        """Let go of what is the parent's, in a forked child."""
        self._dead = self._dead or ForkError(_FORKED)
        self._end.detach()
        self._idle.clear()
        if self._process is not None:
            self._process.abandon()


def _end(anchor: _Socket, idle: list[_Line], process: Process | None) -> None:
    anchor.end()
    while idle:
        idle.pop().end()
    if process is not None:
        process.end()


class SidecarQueue:
    """A connection for all that an event loop waits for; see :class:`cycletls._transfer.Queue`.

    Args:
        sidecar: where it leads.
        connection: its own.
        loop: the event loop.
        wake: is called there when something is done.
    """

    def __init__(
        self, sidecar: Sidecar, connection: _Socket, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]
    ) -> None:
        self._sidecar = sidecar
        self._connection = connection
        self._socket = connection.raw
        self._loop = loop
        self._tickets = count(1)
        self._buffers: dict[int, tuple[memoryview, int]] = {}  # that replies fill, and what they have filled already
        self._unsent: deque[memoryview] = deque()
        self._arrived = bytearray()
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._socket.setblocking(False)
        loop.add_reader(self._socket, wake)

    def submit(self, step: Step, /) -> tuple[int, object]:
        """Have a step taken; return its ticket and what to keep until it is done."""
        ticket = next(self._tickets)
        if step.buffer is not None:
            self._buffers[ticket] = memoryview(step.buffer), 0
        self._send(*orders(ticket, step))
        return ticket, step

    def submit_call(self, session: int, envelope: bytes, body: bytes, /) -> int:
        """Have a request sent and return its ticket."""
        return self.submit(Step(CALL, session, envelope, body))[0]

    def cancel(self, ticket: int, /) -> None:
        """End a step."""
        self._send(order(ticket, CANCEL, 0))

    def take(self) -> list[tuple[int, Done]]:
        """Return the tickets of what is done, and what came of it.

        Raises:
            SidecarDied: the sidecar ended.
        """
        try:
            got = self._socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            got = 0
        if not got:
            self._loop.remove_reader(self._socket)
            raise self._sidecar._died()
        data = self._arrived
        data += self._view[:got]
        done, place = [], 0
        while (reply := arrived(data, place, len(data))) is not None and reply.end <= len(data):
            place = reply.end
            came = self._done(reply, data)
            if not reply.partly:
                done.append((reply.ticket, came))
        del data[:place]
        return done

    def close(self) -> None:
        """End all that goes on."""
        if self._socket.fileno() < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            if self._unsent:
                self._loop.remove_writer(self._socket)
        self._connection.end()

    def _done(self, reply: Arrived, data: bytearray) -> Done:
        room, before = self._buffers.pop(reply.ticket, (None, 0))
        with memoryview(data) as view:
            body = view[reply.body : reply.end]
            if room is None:
                return reply.done(view, bytes(body))
            room[: len(body)] = body
            if reply.partly:
                self._buffers[reply.ticket] = room[len(body) :], before + len(body)
            return reply.after(before, reply.done(view, b""))

    def _send(self, *pieces: Bytes) -> None:
        """Send, and leave to the event loop what there is no room for."""
        waiting = bool(self._unsent)
        self._unsent.extend([memoryview(piece).cast("B") for piece in pieces])
        if not waiting and not self._flush():
            self._loop.add_writer(self._socket, self._resume)

    def _resume(self) -> None:
        if self._flush():
            self._loop.remove_writer(self._socket)

    def _flush(self) -> bool:
        """Send what there is room for, and report whether that is all."""
        while self._unsent:
            piece = self._unsent[0]
            try:
                sent = self._socket.send(piece)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # the reader will tell
                self._unsent.clear()
                return True
            if sent < len(piece):
                self._unsent[0] = piece[sent:]
            else:
                self._unsent.popleft()
        return True


_open: weakref.WeakSet[_Socket] = weakref.WeakSet()
_all: weakref.WeakSet[Sidecar] = weakref.WeakSet()
_lock = threading.RLock()  # a signal handler may need a sidecar while it is being started
_own: Sidecar | None = None
_running: weakref.WeakValueDictionary[tuple[str, str], Sidecar] = weakref.WeakValueDictionary()


def own() -> Sidecar:
    """Return this process's own sidecar, which is started where there is none.

    Raises:
        LibraryError: it cannot be.
    """
    global _own
    sidecar = _own
    if sidecar is None or not sidecar.alive:
        with _lock:
            sidecar = _own
            if sidecar is None or not sidecar.alive:
                if sidecar is not None:
                    _tell_of_restart(sidecar)
                sidecar = _own = _start()
    return sidecar


def _start() -> Sidecar:
    process = Process()
    try:
        return Sidecar(("127.0.0.1", process.port), process.token, process)
    except BaseException as exc:
        try:
            if not isinstance(exc, OSError):
                raise
            raise LibraryError(f"the sidecar process cannot start: {process.failure() or exc}") from exc
        finally:
            process.end()


def end_own() -> None:
    """End this process's own sidecar, where there is one; the next who needs one starts another."""
    global _own
    with _lock:
        sidecar, _own = _own, None
    if sidecar is not None:
        sidecar._died()


def _tell_of_restart(sidecar: Sidecar) -> None:
    from logging import getLogger  # here: it must not be loaded by a fork, which it takes part in

    getLogger("cycletls").warning("%s", sidecar._dead)


def running(address: str, token: str) -> Sidecar:
    """Return the way to a sidecar that runs.

    Raises:
        InvalidOption: this is no address, or the sidecar refuses.
        SidecarDied: there is none.
    """
    with _lock:
        sidecar = _running.get((address, token))
        if sidecar is None or not sidecar.alive:
            try:
                sidecar = Sidecar(_parsed(address), token)
            except OSError as exc:
                raise SidecarDied(f"there is no sidecar at {address}: {exc}") from exc
            _running[address, token] = sidecar
        return sidecar


def _parsed(address: str) -> tuple[str, int]:
    """Return host and port of a sidecar's address: they are literal, so that nobody's name leads elsewhere."""
    host, colon, port = address.removeprefix("ws://").rstrip("/").rpartition(":")
    host = host.strip("[]")
    if not address.startswith("ws://") or not colon or not port.isdigit() or not _loopback(host):
        raise InvalidOption(f"sidecar= is True or an address like ws://127.0.0.1:9119, not {address!r:.100}")
    return host, int(port)


def _loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _after_fork() -> None:
    """Begin anew in a forked child: connections, like the sidecar, are the parent's."""
    global _lock, _own
    _lock = threading.RLock()
    _own = None
    _running.clear()
    for sidecar in list(_all):
        sidecar.inherit()
    for connection in list(_open):
        connection.raw.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
