"""The sessions of the core that stand behind one session, and what goes to them."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from functools import partial

from . import _carriers, _transfer
from ._core import ask
from ._envelope import cookie_of, cookies_message, describe_message, session_message
from ._exceptions import CycleTLSError, InvalidBody, SessionClosed
from ._options import CONNECTION
from ._profiles import is_shipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from ._background import Background
    from ._cookies import Cookie
    from ._core import Message
    from ._exchange import Exchange
    from ._headers import Changes
    from ._options import Options
    from ._transfer import Carrier, Reply

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
        ask(_way(options), 0, describe_message(options))
        _checked[identity] = None
        if len(_checked) > _VARIANTS:
            _checked.pop(next(iter(_checked)), None)


def _way(options: Options) -> Carrier:
    """Return the way to the core that a session's options ask for."""
    return _carriers.choose(options.sidecar, options.sidecar_token, options.sidecar_token_file)


class Engine:
    """A session of the core.

    It is closed with the last reference to it, so that forgetting a variant does
    not cut off the exchanges that still use it.

    Args:
        carrier: the way to the core.
        options: what it is made with, and therefore knows.
        removed: the profile's headers that it does not send.
        headers: what it sends with every request.
        jar: handle of the one whose cookies it shares, 0 for none.
        background: whether its requests are sent in the background of an event loop.
    """

    __slots__ = ("__weakref__", "carrier", "close", "handle", "headers", "options", "reference", "removed")

    def __init__(
        self, carrier: Carrier, options: Options, removed: Changes, headers: Changes, jar: int, background: bool
    ) -> None:
        self.carrier = carrier
        self.options = options
        self.removed = removed
        self.headers = headers
        message = session_message(options, (*removed, *headers), jar, background or carrier.remote)
        if carrier.remote:
            _make_absolute(message)
        self.handle: int = ask(carrier, 0, message)["handle"]
        self.close = weakref.finalize(self, carrier.close, self.handle)
        self.reference = weakref.ref(self)

    def send(self, exchange: Exchange) -> Reply:
        """Send a request and return what came back for it."""
        if exchange.simple:
            return self.carrier.exchange(self.handle, exchange.envelope, exchange.content)
        stream = exchange.body.stream if exchange.body else None
        if hasattr(stream, "__aiter__"):
            raise InvalidBody("an asynchronous iterable is a body for AsyncCycleTLS, not for CycleTLS")
        return _transfer.run(self.carrier.perform, self._steps(exchange), iter(stream) if stream else None)

    async def send_in(self, background: Background, exchange: Exchange) -> Reply:
        """Send a request in the background of an event loop and return what came back for it."""
        if exchange.simple:
            return await background.exchange(self.handle, exchange.envelope, exchange.content)
        return await background.run(self._steps(exchange), exchange.body.stream if exchange.body else None)

    def _steps(self, exchange: Exchange) -> _transfer.Steps:
        options = exchange.options
        return _transfer.send(
            self.carrier, self.handle, exchange.envelope, exchange.body, options.stream, options.upload_progress
        )

    def ask(self, message: Message, target: int = 0) -> Message:
        """Send it, or what is its own, a message that is not a request, and return the answer."""
        return ask(self.carrier, target or self.handle, message)

    def copy_jar(self) -> int:
        """Return the handle of a copy of the jar; whoever asked for it closes it."""
        handle: int = self.ask({"type": "copyJar"})["handle"]
        return handle

    def certificates(self, connection: int) -> list[bytes]:
        """Return the chain of a connection in DER, empty where it is no longer remembered."""
        try:
            chain: list[bytes] = self.ask({"type": "certificates", "connection": connection})["certificates"]
        except SessionClosed:
            return []
        return chain


class Engines:
    """The sessions of the core behind one session: one for each connection configuration, over one cookie jar.

    Nothing of a configuration is ever mixed with another: a request that says
    ``verify=False`` gets connections and TLS tickets of its own. Where the way to
    the core is gone, after a fork or with a sidecar, they are made anew.

    Args:
        removed: the profile's headers that none of them sends.
        background: whether their requests are sent in the background of an event loop.
        options: the session's, which say the way to the core.
    """

    def __init__(self, removed: Changes, background: bool, options: Options) -> None:
        self._way = partial(_way, options)
        self._saved: list[Cookie] = []  # what a fork takes into the child
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
        """Whether the core has not been asked for any, and there are no cookies for one."""
        return self._first is None and not self._saved

    @property
    def carrier(self) -> Carrier:
        """The way to the core."""
        first = self._first
        return first.carrier if first and first.carrier.alive else self._way()

    def of(self, options: Options, headers: Changes) -> Engine:
        """Return the one that has the connection configuration of the options.

        Raises:
            SessionClosed: after :meth:`close`.
        """
        latest = self._latest
        if latest and latest[0] is options and latest[1].carrier.alive:
            return latest[1]
        key = (options.says("profile"), *[getattr(options, name) for name in CONNECTION])
        with self._lock:
            engine = self._of(key, options, headers)
            self._latest = (options, engine)
            return engine

    def _of(self, key: tuple[object, ...], options: Options, headers: Changes) -> Engine:
        if self._closed:
            raise SessionClosed("the session was closed")
        if self._first is not None and not self._first.carrier.alive:
            self._first = None
            self._variants.clear()
        if self._first is None:
            made = Engine(self.carrier, options, self._removed, headers, 0, self._background)
            if self._saved:
                made.ask(cookies_message("set", self._saved))
            if self._first is None:  # no signal handler has come before
                self._first, self._first_key, self._saved = made, key, []
        if key == self._first_key:
            return self._first
        engine = self._variants.pop(key, None)
        if engine is None:
            first = self._first
            engine = Engine(first.carrier, options, self._removed, headers, first.handle, self._background)
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

    def save(self) -> None:
        """Remember the cookies, for a child of fork."""
        first = self._first
        if first is not None and first.carrier.alive:
            with suppress(CycleTLSError):  # a child without cookies is better than no child
                self._saved = [cookie_of(cookie) for cookie in first.ask(cookies_message("list"))["cookies"]]

    def forget(self) -> None:
        """Forget them again, where they are still in the core."""
        if self._first is not None and self._first.carrier.alive:
            self._saved = []

    def inherit(self) -> None:
        """Begin anew in a forked child: the thread that held a lock is not there to release it."""
        self._lock = threading.RLock()


_all: weakref.WeakSet[Engines] = weakref.WeakSet()


def _each(method: Callable[[Engines], None]) -> None:
    for engines in list(_all):
        method(engines)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _each(Engines.save),
        after_in_parent=lambda: _each(Engines.forget),
        after_in_child=lambda: _each(Engines.inherit),
    )


def _make_absolute(message: Message) -> None:
    """Make paths mean the same in a process that works in another folder."""
    for name in ("caFile", "certFile", "keyFile", "keyLogFile"):
        if message.get(name):
            message[name] = os.path.abspath(message[name])


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
        return self._engines.of(*self._made_with).ask(message)
