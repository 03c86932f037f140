"""The sessions of the core that stand behind one session, and what goes to them."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress

from . import _ffi, _transfer
from ._core import ask
from ._envelope import cookie_of, cookies_message, describe_message, session_message
from ._exceptions import CycleTLSError, InvalidBody, SessionClosed
from ._options import CONNECTION
from ._profiles import is_shipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from ._background import Background
    from ._cookies import Cookie
    from ._core import Message
    from ._exchange import Exchange
    from ._headers import Changes
    from ._options import Options
    from ._transfer import Reply

_VARIANTS: Final = 32
"""Connection configurations that one session keeps; each has its own pool and TLS tickets."""


_checked: dict[tuple[object, ...], None] = {}
"""The identities that the core has seen last: a program may make a session for each request."""


def check_identity(options: Options) -> None:
    """Have the core look at whom a session is to look like.

    It is not started for the default, nor for a name of the package's own.

    Raises:
        InvalidOption: nothing can look like that.
    """
    own = options.says("profile") and not is_shipped(options.profile)
    if not (own or options.ja3 or options.ja4r or options.http2_fingerprint):
        return
    identity = (options.profile, options.says("profile"), options.ja3, options.ja4r, options.http2_fingerprint)
    if identity not in _checked:
        ask(0, describe_message(options))
        _checked[identity] = None
        if len(_checked) > _VARIANTS:
            _checked.pop(next(iter(_checked)), None)


class Engine:
    """A session of the core.

    It is closed with the last reference to it, so that forgetting a variant does
    not cut off the exchanges that still use it.

    Args:
        options: what it is made with, and therefore knows.
        removed: the profile's headers that it does not send.
        headers: what it sends with every request.
        jar: handle of the one whose cookies it shares, 0 for none.
        background: whether its requests are sent in the background of an event loop.
    """

    __slots__ = ("__weakref__", "close", "handle", "headers", "options", "reference", "removed")

    def __init__(self, options: Options, removed: Changes, headers: Changes, jar: int, background: bool) -> None:
        self.options = options
        self.removed = removed
        self.headers = headers
        self.handle: int = ask(0, session_message(options, (*removed, *headers), jar, background))["handle"]
        self.close = weakref.finalize(self, _ffi.close, self.handle)
        self.reference = weakref.ref(self)

    def send(self, exchange: Exchange) -> Reply:
        """Send a request and return what came back for it."""
        if exchange.simple:
            return _ffi.exchange(self.handle, exchange.envelope, exchange.content)
        stream = exchange.body.stream if exchange.body else None
        if hasattr(stream, "__aiter__"):
            raise InvalidBody("an asynchronous iterable is a body for AsyncCycleTLS, not for CycleTLS")
        return _transfer.run(_ffi.perform, self._steps(exchange), iter(stream) if stream else None)

    async def send_in(self, background: Background, exchange: Exchange) -> Reply:
        """Send a request in the background of an event loop and return what came back for it."""
        if exchange.simple:
            return await background.exchange(self.handle, exchange.envelope, exchange.content)
        return await background.run(self._steps(exchange), exchange.body.stream if exchange.body else None)

    def _steps(self, exchange: Exchange) -> _transfer.Steps:
        options = exchange.options
        return _transfer.send(
            _ffi, self.handle, exchange.envelope, exchange.body, options.stream, options.upload_progress
        )

    def copy_jar(self) -> int:
        """Return the handle of a copy of the jar; whoever asked for it closes it."""
        handle: int = ask(self.handle, {"type": "copyJar"})["handle"]
        return handle

    def certificates(self, connection: int) -> list[bytes]:
        """Return the chain of a connection in DER, empty where it is no longer remembered."""
        try:
            chain: list[bytes] = ask(self.handle, {"type": "certificates", "connection": connection})["certificates"]
        except SessionClosed:
            return []
        return chain


class Engines:
    """The sessions of the core behind one session: one for each connection configuration, over one cookie jar.

    Nothing of a configuration is ever mixed with another: a request that says
    ``verify=False`` gets connections and TLS tickets of its own.

    Args:
        removed: the profile's headers that none of them sends.
        background: whether their requests are sent in the background of an event loop.
    """

    def __init__(self, removed: Changes, background: bool) -> None:
        self._removed = removed
        self._background = background
        self._lock = threading.RLock()  # a signal handler may use the session that it interrupts
        _all.add(self)
        self._first: Engine | None = None  # has the jar, so it stays
        self._first_key: tuple[object, ...] = ()
        self._variants: dict[tuple[object, ...], Engine] = {}  # the one used last comes last
        self._latest: tuple[Options, Engine] | None = None
        self._closed = False

    @property
    def unused(self) -> bool:
        """Whether the core has not been asked for any."""
        return self._first is None

    def of(self, options: Options, headers: Changes) -> Engine:
        """Return the one that has the connection configuration of the options.

        Raises:
            SessionClosed: after :meth:`close`.
        """
        latest = self._latest
        if latest and latest[0] is options:
            return latest[1]
        key = (options.says("profile"), *[getattr(options, name) for name in CONNECTION])
        with self._lock:
            engine = self._of(key, options, headers)
            self._latest = (options, engine)
            return engine

    def _of(self, key: tuple[object, ...], options: Options, headers: Changes) -> Engine:
        if self._closed:
            raise SessionClosed("the session was closed")
        if self._first is None:
            made = Engine(options, self._removed, headers, 0, self._background)
            if self._first is None:  # no signal handler has come before
                self._first, self._first_key = made, key
        if key == self._first_key:
            return self._first
        engine = self._variants.pop(key, None)
        if engine is None:
            engine = Engine(options, self._removed, headers, self._first.handle, self._background)
        self._variants[key] = engine
        if len(self._variants) > _VARIANTS:
            del self._variants[next(iter(self._variants))]
        return engine

    def close(self) -> None:
        """Close them all, and end what they still carry. Closing twice is harmless."""
        with self._lock:
            self._closed, self._latest = True, None
            engines = [*self._variants.values(), *([self._first] if self._first else ())]
            self._variants.clear()
        for engine in engines:
            engine.close()


_all: weakref.WeakSet[Engines] = weakref.WeakSet()


def _after_fork() -> None:
    """Begin anew in a forked child: the thread that held a lock is not there to release it."""
    for engines in _all:
        engines._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class EngineJar:
    """The jar of a session's cookies, in the core.

    Args:
        engines: those of the session; whichever comes first has the jar.
        options: the session's, in case that one has to be made for the jar.
        headers: likewise.
    """

    def __init__(self, engines: Engines, options: Options, headers: Changes) -> None:
        self._engines = engines
        self._made_with = (options, headers)
        self._last: list[Cookie] | None = None

    def all(self) -> list[Cookie]:
        """Return all cookies; after closing those of :meth:`keep`."""
        if self._engines.unused:
            return []
        if self._last is not None:
            return self._last
        return [cookie_of(cookie) for cookie in self._ask(cookies_message("list"))["cookies"]]

    def set(self, cookies: Sequence[Cookie]) -> None:
        """Keep cookies."""
        self._ask(cookies_message("set", cookies))

    def delete(self, name: str, domain: str, path: str) -> None:
        """Forget those that match what is not empty."""
        self._ask(cookies_message("delete", name=name, domain=domain, path=path))

    def clear(self) -> None:
        """Forget all."""
        self._ask(cookies_message("clear"))

    def keep(self) -> None:
        """Take a last copy, for who reads the cookies of a closed session."""
        with suppress(CycleTLSError):  # where they cannot be had any more, that is no reason not to close
            self._last = self.all()

    def _ask(self, message: Message) -> Message:
        return ask(self._engines.of(*self._made_with).handle, message)
