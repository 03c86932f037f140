"""The only module that talks to the Go library: loading it, calling its verbs, owning what they return.

The library is opened by the first call, not by the import. A forked child of a
process that had opened it can no longer use it (a Go runtime does not survive
fork): there every verb raises :class:`ForkError` at once instead of hanging.
"""

from __future__ import annotations

import os
import sys
import threading

from ._core import ask
from ._exceptions import ForkError, LibraryError, SessionClosed
from ._transfer import CALL, FIRST, READ, RECEIVE, START, TEXT, WRITE, Outcome, Reply, receive, run
from ._version import __version__

TYPE_CHECKING = False  # typing's own would cost an import of typing
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any, Final, NoReturn, Protocol, TypeAlias

    from ._transfer import Done, Step

    CData: TypeAlias = Any  # cffi ships no types

    class Verbs(Protocol):
        """The functions of ``cycletls._native``, as the type checker should see them (golang/cycletls.h)."""

        def cycletls_open(self, path: bytes, /) -> CData: ...
        def cycletls_version(self) -> CData: ...
        def cycletls_call(
            self,
            target: int,
            envelope: bytes,
            body: bytes | CData,
            body_size: int,
            buffer: CData,
            buffer_size: int,
            main_thread: bool,
            reply: CData,
            /,
        ) -> None: ...
        def cycletls_start(self, session: int, envelope: bytes, main_thread: bool, reply: CData, /) -> None: ...
        def cycletls_write(
            self, exchange: int, piece: CData, size: int, main_thread: bool, reply: CData, /
        ) -> None: ...
        def cycletls_wait(
            self, exchange: int, buffer: CData, size: int, main_thread: bool, reply: CData, /
        ) -> None: ...
        def cycletls_read(
            self, exchange: int, buffer: CData, size: int, main_thread: bool, reply: CData, /
        ) -> None: ...
        def cycletls_receive(
            self, exchange: int, limit: int, buffer: CData, size: int, main_thread: bool, reply: CData, /
        ) -> None: ...
        def cycletls_send(
            self, exchange: int, verb: int, data: CData, size: int, main_thread: bool, reply: CData, /
        ) -> None: ...
        def cycletls_submit(
            self,
            queue: int,
            verb: int,
            target: int,
            envelope: bytes,
            body: bytes | CData,
            body_size: int,
            buffer: CData,
            buffer_size: int,
            /,
        ) -> int: ...
        def cycletls_drain(self, queue: int, into: CData, count: int, memory: CData, size: int, /) -> int: ...
        def cycletls_cancel(self, handle: int, /) -> int: ...
        def cycletls_close(self, handle: int, /) -> int: ...
        def cycletls_free(self, text: CData, /) -> None: ...


_LIBRARY: Final = "libcycletls.so"


class _Memory:
    """What one crossing writes into. Never shared: a signal handler may start a request inside another."""

    __slots__ = ("reply", "scratch")

    def __init__(self) -> None:
        _library()
        self.reply = _ffi.new("cycletls_reply *")
        self.scratch = _ffi.new("char[]", FIRST)


class _Unopened:
    """Stands for the library until somebody needs it."""

    def __getattr__(self, verb: str) -> Any:
        return getattr(_library(), verb)


_FORKED: Final = (
    "this process was forked after cycletls had made a request, and the library's threads stayed in the parent, "
    "with all that was open there: begin anew in the child, where new requests go through a sidecar "
    "unless CYCLETLS_FORK=error or sidecar=False forbids it"
)


class _Forked:
    """Stands for the library in the forked child of a process that had opened it."""

    def __getattr__(self, verb: str) -> NoReturn:
        raise ForkError(_FORKED)


_HERE: Final[Any] = sys.modules[__name__]
"""This module as the carrier of a transfer."""

alive = True
"""Whether the library can be used here: not in the forked child of a process that had opened it."""
remote: Final = False
"""It is in this process."""

_verbs: Verbs = _Unopened()
_ffi: CData = None
_opening = threading.RLock()  # a signal handler may need the library while it is being opened
_started = False  # opening has begun: a child that is forked from now on cannot use Go
_main_thread = threading.main_thread().ident
_idle: list[_Memory] = []
_raised: list[BaseException] = []  # by signal handlers, while the main thread was waiting in Go


def exchange(session: int, envelope: bytes, body: bytes | None, /) -> Reply:
    """Send a request whose body, if any, is at hand, and return the response with its body.

    It is :func:`cycletls._transfer.send` for what most requests are, with nothing between the call and the library.

    Args:
        session: handle of a session.
        envelope: a "request" message.
        body: the body's bytes; None where the request has none.

    Raises:
        ForkError: in the forked child of a process that used the library.
        BaseException: whatever a signal handler raised meanwhile; the exchange is cancelled.
    """
    memory = _memory()
    try:
        content = b"" if body is None else body
        reply = memory.reply
        _verbs.cycletls_call(session, envelope, content, len(content), memory.scratch, FIRST, _on_main_thread(), reply)
        head, handle, status = _take(reply), reply.handle, reply.status
        start = _ffi.buffer(memory.scratch, reply.filled)[:] if reply.filled else b""
        _raise_pending()
        if not handle or not status:
            return Reply(status, head, start)
        # Here, so that whatever is raised, wherever, ends the exchange.
        return run(perform, receive(_HERE, Outcome(status, handle, reply.length, 0, head, start), False))
    except BaseException:
        _abandon(memory.reply)
        raise
    finally:
        _idle.append(memory)


def perform(step: Step, /) -> Outcome:
    """Take a step on the calling thread.

    Raises:
        ForkError: in the forked child of a process that used the library.
        BaseException: whatever a signal handler raised meanwhile.
    """
    memory = _memory()
    reply, verb = memory.reply, step.verb
    reply.handle = 0  # not that of who used this memory before
    try:
        if verb == READ:
            buffer = _ffi.from_buffer(step.buffer)
            _verbs.cycletls_read(step.target, buffer, len(buffer), _on_main_thread(), reply)
            return _outcome(memory, b"")
        if verb == RECEIVE:
            _verbs.cycletls_receive(
                step.target,
                int.from_bytes(step.data, "little", signed=True),
                memory.scratch,
                FIRST,
                _on_main_thread(),
                reply,
            )
            return _outcome(memory, _ffi.buffer(memory.scratch, reply.filled)[:] if reply.filled else b"")
        data = _ffi.from_buffer(step.data)
        if verb == CALL:
            _verbs.cycletls_call(
                step.target, step.envelope, data, len(data), memory.scratch, FIRST, _on_main_thread(), reply
            )
        elif verb == START:
            _verbs.cycletls_start(step.target, step.envelope, _on_main_thread(), reply)
        elif verb >= TEXT or verb < 0:
            _verbs.cycletls_send(step.target, verb, data, len(data), _on_main_thread(), reply)
        elif verb == WRITE:
            _verbs.cycletls_write(step.target, data, len(data), _on_main_thread(), reply)
        else:
            _verbs.cycletls_wait(step.target, memory.scratch, FIRST, _on_main_thread(), reply)
        return _outcome(memory, _ffi.buffer(memory.scratch, reply.filled)[:] if reply.filled else b"")
    except BaseException:
        _abandon(reply)
        raise
    finally:
        _idle.append(memory)


def _outcome(memory: _Memory, content: bytes) -> Outcome:
    """Take what a verb has left in memory."""
    reply = memory.reply
    outcome = Outcome(reply.status, reply.handle, reply.length, reply.filled, _take(reply), content)
    _raise_pending()
    return outcome


def writable(content: bytes, /) -> memoryview:
    """Return the memory of a bytes object that nobody else has seen yet, so that filling it breaks no promise."""
    ffi = _ffi or shim().ffi
    return memoryview(ffi.buffer(ffi.from_buffer(content)))


def message(target: int, envelope: bytes, /) -> bytes:
    """Send a message that is not a request and return the answering envelope, which may be an "error".

    Args:
        target: handle of a session; 0 is the library itself.
        envelope: the message.
    """
    memory = _memory()
    try:
        _verbs.cycletls_call(target, envelope, b"", 0, _ffi.NULL, 0, _on_main_thread(), memory.reply)
        _raise_pending()
        return _take(memory.reply)
    except BaseException:
        _abandon(memory.reply)
        raise
    finally:
        _idle.append(memory)


class Queue:
    """Has steps taken by Go in the background of an event loop.

    Args:
        loop: the event loop.
        wake: is called there when something is done.
    """

    _BATCH: Final = 128
    """Completions in one crossing at most."""

    _ROW: Final = "QQqqqqq"
    """cycletls_completion, as the struct module writes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        from struct import Struct

        made = ask(_HERE, 0, {"type": "makeQueue"})
        self._loop = loop
        self._queue: int = made["handle"]
        self._descriptor: int = made["descriptor"]
        self._completions = _ffi.new("cycletls_completion[]", self._BATCH)
        self._rows = _ffi.buffer(self._completions)
        row = Struct(self._ROW)
        self._row, self._unpack = row.size, row.iter_unpack
        self._room(1 << 20)
        loop.add_reader(self._descriptor, wake)

    def submit(self, step: Step, /) -> tuple[int, object]:
        """Have a step taken; return its ticket and what to keep until it is done.

        Raises:
            SessionClosed: the queue is closed.
        """
        data = step.data if type(step.data) is bytes else _ffi.from_buffer(step.data)
        buffer = _ffi.NULL if step.buffer is None else _ffi.from_buffer(step.buffer)
        size = 0 if step.buffer is None else len(buffer)
        ticket = _verbs.cycletls_submit(
            self._queue, step.verb, step.target, step.envelope, data, len(data), buffer, size
        )
        return ticket or _closed(), (data, buffer)

    def submit_call(self, session: int, envelope: bytes, body: bytes, /) -> int:
        """Have a request sent and return its ticket; whoever asks keeps the body until it is done.

        Raises:
            SessionClosed: the queue is closed.
        """
        ticket = _verbs.cycletls_submit(self._queue, CALL, session, envelope, body, len(body), _ffi.NULL, 0)
        return ticket or _closed()

    def cancel(self, ticket: int) -> None:
        """End a step."""
        cancel(ticket)

    def close(self) -> None:
        """End all of them, and wait until Go writes into nobody's memory any more."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
        close(self._queue)

    def take(self) -> list[tuple[int, Done]]:
        """Return the tickets of what is done, and what came of it."""
        count = _verbs.cycletls_drain(self._queue, self._completions, self._BATCH, self._memory, self._size)
        if count < 0:  # a head of many redirects
            self._room(-count)
            return []
        done, memory, place = [], self._content, 0
        for ticket, handle, length, filled, status, head, body in self._unpack(self._rows[: count * self._row]):
            start = place + head
            end = start + body
            done.append((ticket, (status, handle, length, filled, memory[place:start], memory[start:end])))
            place = end
        return done

    def _room(self, size: int) -> None:
        self._size = size
        self._memory = _ffi.new("char[]", size)
        self._content = _ffi.buffer(self._memory)


def _closed() -> NoReturn:
    raise SessionClosed("the client was closed")


def queue(loop: asyncio.AbstractEventLoop, wake: Callable[[], object], /) -> Queue:
    """Return what works in the background of an event loop."""
    return Queue(loop, wake)


def cancel(handle: int, /) -> None:
    """End an exchange, a ticket's step or what a cancel token was given to, from any thread."""
    if not isinstance(_verbs, (_Unopened, _Forked)):
        _verbs.cycletls_cancel(handle)


def close(handle: int, /) -> None:
    """End a session, an exchange, a queue or a token with all it holds; twice is harmless, also after a fork."""
    if not isinstance(_verbs, (_Unopened, _Forked)):
        _verbs.cycletls_close(handle)


def _on_main_thread() -> bool:
    return threading.get_ident() == _main_thread


def _abandon(reply: CData) -> None:
    """Give back what a verb left in reply, after an exception between two crossings."""
    _take(reply)
    close(reply.handle)


def _take(reply: CData) -> bytes:
    """Copy an envelope out of Go and free it; after this Python owns the bytes."""
    text = reply.head
    if not text:
        return b""
    try:
        return bytes(_ffi.string(text))
    finally:
        reply.head = _ffi.NULL
        _verbs.cycletls_free(text)


def _keep(kind: type[BaseException], raised: BaseException, traceback: object) -> None:
    """Hold what a signal handler raised until the interrupted verb has returned."""
    _raised.append(raised)


def _raise_pending() -> None:
    if _raised and _on_main_thread():
        raise _raised.pop()


def _memory() -> _Memory:
    try:
        return _idle.pop()
    except IndexError:
        return _Memory()


def _library() -> Verbs:
    """Open the library once and return its verbs."""
    global _verbs, _ffi, _started
    with _opening:
        if isinstance(_verbs, _Forked):
            raise ForkError(_FORKED)
        if isinstance(_verbs, _Unopened):
            _started = True
            path, native = library_path(), shim()
            problem = native.lib.cycletls_open(os.fsencode(path))
            if problem:
                raise LibraryError(f"cannot load {path}: {os.fsdecode(native.ffi.string(problem))}")
            _refuse_other_version(path, native)
            native.ffi.def_extern(name="run_signals", error=1, onerror=_keep)(lambda: 0)
            _ffi, _verbs = native.ffi, native.lib
    return _verbs


def started() -> bool:
    """Report whether somebody has begun to open the library."""
    return _started


def library_path() -> str:
    """Return where the library is."""
    return os.environ.get("CYCLETLS_LIB_PATH") or os.path.join(os.path.dirname(__file__), _LIBRARY)


def shim() -> Any:
    """Return what is between Python and C, which starts no Go."""
    from . import _native

    return _native


def _refuse_other_version(path: str, native: Any) -> None:
    text = native.lib.cycletls_version()
    version = os.fsdecode(native.ffi.string(text))
    native.lib.cycletls_free(text)
    if version != __version__:
        raise LibraryError(
            f"{path} is version {version}, the Python package is {__version__}: "
            "reinstall cycletls (in a checkout: make), so that both are of one build"
        )


def _after_fork() -> None:
    """Begin anew in a forked child: the thread that held the lock is not there to release it."""
    global _verbs, _opening, alive
    _opening = threading.RLock()
    if _started:
        _verbs, alive = _Forked(), False
    _idle.clear()
    _raised.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
