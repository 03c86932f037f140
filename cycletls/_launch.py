"""Starting a sidecar process."""

from __future__ import annotations

import os
import signal
import socket
import sys
from base64 import urlsafe_b64encode
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl

from . import _ffi, _sidecar_process
from ._core import pack
from ._exceptions import LibraryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn

    from ._core import Message

_BACKLOG: Final = 512
_CONFIGURATION, _LISTENER = 0, 3
"""Descriptors in the new process."""

STAY: Final = 0
WITH_PIPE: Final = -1
"""For :func:`configuration`: whom to end with, beside a process's number."""


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on loopback."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def new_token() -> str:
    """Return 256 random bits as text."""
    return urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def configuration(message: Message, parent: int, leftover: str = "") -> bytes:
    """Return what a sidecar process is told, see :func:`cycletls._sidecar_process.main`.

    Args:
        message: "serve".
        parent: the process to end with, WITH_PIPE or STAY.
        leftover: a file that it removes in the end.
    """
    lines = (
        os.fsencode(_ffi.library_path()),
        pack(message),
        pack({"type": "served"}),
        str(parent).encode(),
        os.fsencode(leftover),
    )
    return b"".join([line + b"\n" for line in lines])


def command(descriptor: int) -> list[str]:
    """Return the command of a sidecar process that reads its configuration from a descriptor."""
    return [sys.executable, "-I", "-S", _sidecar_process.__file__, str(descriptor)]


def become_sidecar(
    port: int, token_file: str | None, idle_exit: float, stay: bool, announce: Callable[[str, str], object]
) -> NoReturn:
    """Turn this process into a sidecar.

    Args:
        port: where it listens; 0 is a free one.
        token_file: where clients find the token; None is a new file. It is removed in the end.
        idle_exit: seconds after which it ends when there is no client.
        stay: not to end with the process that started this one.
        announce: is called with its address and the file of the token before this process does nothing else any more.

    Raises:
        OSError: the port or the file cannot be had.
    """
    listener = listen(port)
    token = new_token()
    path = _keep(token, token_file)
    listener.set_inheritable(True)
    inside, outside = os.pipe()
    os.set_inheritable(inside, True)
    message = {
        "type": "serve",
        "descriptor": listener.fileno(),
        "token": token,
        "idleExit": round(idle_exit * 1000),
    }
    os.write(outside, configuration(message, STAY if stay else os.getppid(), path))
    signal.pthread_sigmask(signal.SIG_BLOCK, _sidecar_process.ENDING)
    announce("{}:{}".format(*listener.getsockname()), path)
    os.execv(sys.executable, command(inside))


def _keep(token: str, path: str | None) -> str:
    """Write a token to a file that none but this user can read, and return its path."""
    from tempfile import mkstemp

    folder = os.path.dirname(os.path.abspath(path)) if path else os.environ.get("XDG_RUNTIME_DIR")
    descriptor, made = mkstemp(prefix="cycletls-", suffix=".token", dir=folder)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    if path is None:
        return made
    os.replace(made, path)
    return os.path.abspath(path)


class Process:
    """A sidecar of this process's own, which ends with it, or when :meth:`end` is called.

    Attributes:
        port: where it listens.
        token: what it asks for.
        pid: its number.
    """

    def __init__(self) -> None:
        self.token = new_token()
        self._errors = -1
        self._lifeline = -1
        with listen() as listener:
            self.port: int = listener.getsockname()[1]
            self.pid = self._spawn(listener.fileno())

    def _spawn(self, listener: int) -> int:
        """Start it in a session of its own, where no Ctrl-C of this one's terminal reaches it."""
        if not sys.executable:
            raise LibraryError("sys.executable does not say which Python could run a sidecar")
        inside, self._lifeline = os.pipe()
        self._errors, errors = os.pipe()
        given = [_above_standard(descriptor) for descriptor in (inside, errors, listener)]
        try:
            pid = os.posix_spawn(
                sys.executable,
                command(_CONFIGURATION),
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, given[0], _CONFIGURATION),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, given[1], 2),
                    (os.POSIX_SPAWN_DUP2, given[2], _LISTENER),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_sidecar_process.ENDING,
            )
        except BaseException:
            self.abandon()
            raise
        finally:
            for descriptor in (inside, errors, *given):
                os.close(descriptor)
        message = {"type": "serve", "descriptor": _LISTENER, "token": self.token}
        os.write(self._lifeline, configuration(message, WITH_PIPE))
        return pid

    def failure(self) -> str:
        """Return what it said before it ended."""
        text = b""
        while piece := os.read(self._errors, 4096):
            text += piece
        return text.decode("utf-8", "replace").strip()

    def end(self) -> None:
        """End it, and wait for that."""
        if self._lifeline >= 0:
            self.abandon()
            with suppress(ChildProcessError):  # somebody else may have waited for all children
                os.waitpid(self.pid, 0)

    def kill(self) -> None:
        """Have it end without a chance to say anything; :meth:`end` is to be called, too."""
        if self._lifeline >= 0:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Let go of what a forked child has inherited: it is the parent's process."""
        for descriptor in (self._lifeline, self._errors):
            if descriptor >= 0:
                os.close(descriptor)
        self._lifeline = self._errors = -1


def _above_standard(descriptor: int) -> int:
    """Return a copy of a descriptor that is none of those which the new process is given."""
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 10)
