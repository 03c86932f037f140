"""Faults inside of a process: it dies, or its disk fails, at the n-th call of a function.

The functions of ``os`` that the server writes with are replaced by ones that count. A power cut is a kill before which
writes that no sync has covered are undone, each with a chance: what was acknowledged must not need them. A sync that
fails undoes them, too, as kernels do that drop what they could not write.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

SYNCS = ("fdatasync", "fsync")
DISK = ("pwrite", "ftruncate", "link", "unlink", "open", *SYNCS)
ERRORS = {
    "pwrite": (errno.ENOSPC, errno.EIO, errno.EDQUOT),
    "ftruncate": (errno.EIO,),
    "link": (errno.EACCES, errno.EROFS, errno.ENOSPC),
    "unlink": (errno.EACCES, errno.EROFS),
    "open": (errno.EACCES, errno.EMFILE, errno.EROFS),
    "fdatasync": (errno.EIO, errno.ENOSPC),
    "fsync": (errno.EIO,),
}


@dataclass(frozen=True)
class Fault:
    """What happens, and when.

    Attributes:
        point: the function, or ``answer`` or ``request`` for the two sides of an exchange.
        call: which call of it.
        deed: "before" and "after" kill the process then, "cut" kills it as a power cut does, "error" makes the call
            fail, "short" lets it write a part.
        error: the number of the error.
    """

    point: str
    call: int
    deed: str
    error: int = 0


@dataclass
class _Writes:
    """Writes to a file that no sync has covered: where, and what was there."""

    descriptor: int
    undo: list[tuple[int, bytes, int]] = field(default_factory=list)


class Saboteur:
    """Makes faults happen in this process.

    Args:
        faults: which.
        rng: decides what a power cut takes.
    """

    def __init__(self, faults: list[Fault], rng: random.Random) -> None:
        self._faults = {(fault.point, fault.call): fault for fault in faults}
        self._calls: dict[str, int] = {}
        self._rng = rng
        self._lock = threading.RLock()
        self._writes: dict[tuple[int, int], _Writes] = {}
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in DISK}
        self.armed = False

    def install(self) -> None:
        """Replace the functions of os."""
        for name in DISK:
            setattr(os, name, self._replacement(name))

    def _replacement(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def replacement(*arguments: Any, **named: Any) -> Any:
            return self.at(name, lambda: self._effect(name, real, arguments, named), arguments)

        return replacement

    def at(self, point: str, act: Callable[[], Any], arguments: tuple[Any, ...] = ()) -> Any:
        """Act, with what is to happen there."""
        fault = self._due(point)
        if fault is None:
            return act()
        if fault.deed == "error":
            if point in SYNCS:
                self._lose(arguments[0])
            raise OSError(fault.error, os.strerror(fault.error))
        if fault.deed == "short" and point == "pwrite":
            descriptor, data, offset = arguments
            return self._effect("pwrite", self._real["pwrite"], (descriptor, bytes(data)[: len(data) // 2], offset), {})
        if fault.deed in ("before", "cut"):
            self._die(cut=fault.deed == "cut")
        act()
        return self._die(cut=False)

    def _due(self, point: str) -> Fault | None:
        if not self.armed:
            return None
        with self._lock:
            self._calls[point] = self._calls.get(point, 0) + 1
            return self._faults.get((point, self._calls[point]))

    def _effect(self, name: str, real: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if name == "pwrite":
            with self._lock:
                descriptor, data, offset = arguments
                self._remember(descriptor, offset, len(data))
                return real(descriptor, data, offset)
        if name in SYNCS:
            with self._lock:
                writes = self._writes.get(_identity(arguments[0]))
                covered = len(writes.undo) if writes else 0
            real(*arguments)
            with self._lock:
                if writes:
                    del writes.undo[:covered]
            return None
        return real(*arguments, **named)

    def _remember(self, descriptor: int, offset: int, length: int) -> None:
        writes = self._writes.get(_identity(descriptor))
        if writes is None:
            writes = self._writes[_identity(descriptor)] = _Writes(os.dup(descriptor))
        writes.undo.append((offset, os.pread(descriptor, length, offset), length))

    def _lose(self, descriptor: int) -> None:
        """Undo what a failed sync did not write."""
        with self._lock:
            if writes := self._writes.get(_identity(descriptor)):
                self._undo(writes)

    def _undo(self, writes: _Writes) -> None:
        size = os.fstat(writes.descriptor).st_size
        for offset, old, length in reversed(writes.undo):
            if self._rng.random() < 0.5:
                lost = (old + bytes(length))[: max(0, min(length, size - offset))]
                self._real["pwrite"](writes.descriptor, lost, offset)
        writes.undo.clear()

    def _die(self, *, cut: bool) -> NoReturn:
        with self._lock:
            if cut:
                for writes in self._writes.values():
                    self._undo(writes)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError  # the signal is not waited for


def _identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino
