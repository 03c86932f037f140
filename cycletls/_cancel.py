"""Cancelling requests from elsewhere."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._transfer import Carrier


class CancelToken:
    """Ends requests, from any thread: all that it was given to with ``cancel=``, and those that it will be given to.

    They raise :class:`cycletls.Cancelled`, and are ended on the wire.
    """

    __slots__ = ("__weakref__", "_cancelled", "_handles", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may cancel
        self._handles: dict[Carrier, int] = {}
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the requests. Doing so twice is harmless."""
        with self._lock:
            self._cancelled = True
            for carrier, handle in self._handles.items():
                carrier.cancel(handle)

    def handle(self, carrier: Carrier) -> int:
        """Return what the core that a carrier leads to knows it by."""
        with self._lock:
            if carrier not in self._handles:
                import weakref

                from ._core import ask

                handle = self._handles[carrier] = ask(carrier, 0, {"type": "makeToken"})["handle"]
                weakref.finalize(self, carrier.close, handle)
                if self._cancelled:
                    carrier.cancel(handle)
            return self._handles[carrier]
