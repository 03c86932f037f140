"""The only module that talks to the Go library: loading it, calling its verbs, owning what they return.

The library is opened by the first call, not by the import. A forked child of a
process that had opened it can no longer use it (a Go runtime does not survive
fork): there every verb raises :class:`ForkError` at once instead of hanging.
"""

from __future__ import annotations

import os
import threading

from ._exceptions import ForkError, LibraryError
from ._version import __version__

TYPE_CHECKING = False  # typing's own would cost an import of typing
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final, NoReturn, Protocol, TypeAlias

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
        def cycletls_cancel(self, exchange: int, /) -> int: ...
        def cycletls_close(self, handle: int, /) -> int: ...
        def cycletls_free(self, text: CData, /) -> None: ...


_SCRATCH: Final = 64 * 1024
"""Bytes of a response body that come back in the same crossing as its head."""

_READ: Final = 16 * 1024 * 1024
"""Bytes read in one crossing at most: between crossings Python runs its signal handlers."""

_DONE: Final = 1
_ANSWERED: Final = 2  # the statuses of golang/cycletls.h that are not of HTTP

_LIBRARY: Final = "libcycletls.so"


class Reply:
    """What came back for a request: the head as an envelope, the body as bytes.

    Attributes:
        status: the HTTP status, 0 when the request failed.
        head: base64 msgpack, a "response" or, with status 0, an "error".
        content: the whole body, content codings undone.
    """

    __slots__ = ("content", "head", "status")

    def __init__(self, status: int, head: bytes, content: bytes) -> None:
        self.status = status
        self.head = head
        self.content = content


class _Memory:
    """What one crossing writes into. Never shared: a signal handler may start a request inside another."""

    __slots__ = ("reply", "scratch")

    def __init__(self) -> None:
        _library()
        self.reply = _ffi.new("cycletls_reply *")
        self.scratch = _ffi.new("char[]", _SCRATCH)


class _Unopened:
    """Stands for the library until somebody needs it."""

    def __getattr__(self, verb: str) -> Any:
        return getattr(_library(), verb)


_FORKED: Final = (
    "this process was forked after cycletls had made a request, and the library's threads stayed in the parent: "
    "make the first request after the fork, or start workers with the 'spawn' or 'forkserver' method"
)


class _Forked:
    """Stands for the library in the forked child of a process that had opened it."""

    def __getattr__(self, verb: str) -> NoReturn:
        raise ForkError(_FORKED)


_verbs: Verbs = _Unopened()
_ffi: CData = None
_opening = threading.RLock()  # a signal handler may need the library while it is being opened
_started = False  # opening has begun: a child that is forked from now on cannot use Go
_main_thread = threading.main_thread().ident
_idle: list[_Memory] = []
_raised: list[BaseException] = []  # by signal handlers, while the main thread was waiting in Go


def exchange(session: int, envelope: bytes, body: bytes | None, /) -> Reply:
    """Send a request whose body, if any, is at hand, and return the response with its body.

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
        _verbs.cycletls_call(
            session, envelope, content, len(content), memory.scratch, _SCRATCH, _on_main_thread(), memory.reply
        )
        return _collect(memory)
    except BaseException:
        _abandon(memory.reply)
        raise
    finally:
        _idle.append(memory)


def upload(session: int, envelope: bytes, pieces: Iterable[bytes | bytearray | memoryview], /) -> Reply:
    """Send a request whose body comes in pieces, and return the response with its body.

    A server may answer before it has the whole body; the rest is then not asked for.

    Args:
        session: handle of a session.
        envelope: a "request" message that announces a streamed body.
        pieces: the body; what it raises ends the exchange and is raised here.

    Raises:
        ForkError: in the forked child of a process that used the library.
        BaseException: what ``pieces`` or a signal handler raised; the exchange is cancelled.
    """
    memory = _memory()
    reply, handle = memory.reply, 0
    try:
        _verbs.cycletls_start(session, envelope, _on_main_thread(), reply)
        handle = reply.handle
        if reply.status and _send(handle, pieces, reply):
            _verbs.cycletls_wait(handle, memory.scratch, _SCRATCH, _on_main_thread(), reply)
        return _collect(memory)
    except BaseException:
        reply.handle = handle
        _abandon(reply)
        raise
    finally:
        _idle.append(memory)


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


def close(handle: int, /) -> None:
    """End a session or an exchange and everything it holds. Closing twice is harmless, also after a fork."""
    if not isinstance(_verbs, (_Unopened, _Forked)):
        _verbs.cycletls_close(handle)


def _on_main_thread() -> bool:
    return threading.get_ident() == _main_thread


def _send(handle: int, pieces: Iterable[bytes | bytearray | memoryview], reply: CData) -> bool:
    """Write the pieces and the end; False when a write failed and reply holds the error."""
    for piece in pieces:
        memory = _ffi.from_buffer(piece)
        if not len(memory):  # an empty piece would say that the body ends
            continue
        _verbs.cycletls_write(handle, memory, len(memory), _on_main_thread(), reply)
        if reply.status != _DONE:
            return bool(reply.status == _ANSWERED)
    _verbs.cycletls_write(handle, _ffi.NULL, 0, _on_main_thread(), reply)
    return bool(reply.status)


def _collect(memory: _Memory) -> Reply:
    """Make a Reply of what a verb left in memory, reading the rest of the body."""
    reply = memory.reply
    head, handle, status = _take(reply), reply.handle, reply.status
    content = _ffi.buffer(memory.scratch, reply.filled)[:] if reply.filled else b""
    _raise_pending()
    if not handle or not status:
        return Reply(status, head, content)
    if reply.length > len(content):
        return _read_known(handle, status, head, content, reply)
    return _read_unknown(handle, status, head, content, reply)


def _abandon(reply: CData) -> None:
    """Give back what a verb left in reply, after an exception between two crossings."""
    _take(reply)
    close(reply.handle)


def _read_known(handle: int, status: int, head: bytes, start: bytes, reply: CData) -> Reply:
    """Read a body of known length into the bytes object that becomes the content, without a copy."""
    # Nobody else has seen the object yet, so writing into it breaks no promise.
    content = bytes(reply.length)
    room = _ffi.from_buffer(content)
    _ffi.memmove(room, start, len(start))
    filled, size = len(start), len(content)
    while handle and filled < size:
        _verbs.cycletls_read(handle, room + filled, min(size - filled, _READ), _on_main_thread(), reply)
        _raise_pending()
        if not reply.status:
            return Reply(0, _take(reply), b"")
        handle, filled = reply.handle, filled + reply.filled
    return Reply(status, head, content)


def _read_unknown(handle: int, status: int, head: bytes, start: bytes, reply: CData) -> Reply:
    """Read a body whose end only its framing tells, in growing pieces."""
    pieces: list[bytes | memoryview] = [start]
    size = _SCRATCH
    while handle:
        size = min(size * 2, _READ)
        piece = bytearray(size)
        _verbs.cycletls_read(handle, _ffi.from_buffer(piece), size, _on_main_thread(), reply)
        _raise_pending()
        if not reply.status:
            return Reply(0, _take(reply), b"")
        handle = reply.handle
        pieces.append(memoryview(piece)[: reply.filled])
    return Reply(status, head, b"".join(pieces))


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
            from . import _native

            path = os.environ.get("CYCLETLS_LIB_PATH") or os.path.join(os.path.dirname(__file__), _LIBRARY)
            problem = _native.lib.cycletls_open(os.fsencode(path))
            if problem:
                raise LibraryError(f"cannot load {path}: {os.fsdecode(_native.ffi.string(problem))}")
            _refuse_other_version(path, _native)
            _native.ffi.def_extern(name="run_signals", error=1, onerror=_keep)(lambda: 0)
            _ffi, _verbs = _native.ffi, _native.lib
    return _verbs


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
    global _verbs, _opening
    _opening = threading.RLock()
    if _started:
        _verbs = _Forked()
    _idle.clear()
    _raised.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
