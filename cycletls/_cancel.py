"""Cancelling requests from elsewhere."""

from __future__ import annotations

import threading


class CancelToken:
    """Ends requests, from any thread: all that it was given to with ``cancel=``, and those that it will be given to.

    They raise :class:`cycletls.Cancelled`, and are ended on the wire.
    """

    __slots__ = ("__weakref__", "_cancelled", "_handle", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may cancel
        self._handle = 0
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the requests. Doing so twice is harmless."""
        with self._lock:
            self._cancelled = True
            if self._handle:
                self._end()

    def handle(self) -> int:
        """Return what the core knows it by."""
        with self._lock:
            if not self._handle:
                import weakref

                from . import _ffi
                from ._core import ask

                self._handle = ask(0, {"type": "makeToken"})["handle"]
                weakref.finalize(self, _ffi.close, self._handle)
                if self._cancelled:
                    self._end()
            return self._handle

    def _end(self) -> None:
        from . import _ffi

        _ffi.cancel(self._handle)
