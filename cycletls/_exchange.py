"""What one call becomes: the messages that are sent for it, and the response that comes of them.

It is written once for every way to send: :meth:`Exchange.hops` is a generator
that yields what it wants sent, is sent the reply, and returns the response.
"""

from __future__ import annotations

import time

from ._body import make_body
from ._core import failure, pack, unpack
from ._envelope import add_spent, next_message, request_message, set_total_timeout
from ._exceptions import InvalidOption, UnrewindableBodyError
from ._headers import Headers, changes_between
from ._request import Request
from ._response import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias

    from ._cookies import Cookie
    from ._core import Message
    from ._engine import Engine
    from ._headers import Changes
    from ._options import Options
    from ._transfer import Reply

    Streamed: TypeAlias = Callable[[Reply, Engine, bytes | None], Response]


class Exchange:
    """A request on its way.

    Args:
        engine: the session of the core that sends it.
        method: the method.
        url: the URL.
        options: the session's options with the request's own over them.
        headers: the session's headers.
        cookies: the session's cookies that go everywhere.
        forget: whether cookies that are set on the way are forgotten.
        streamed: makes the response whose body is read as it comes.
    """

    __slots__ = (
        "_auth",
        "_forget",
        "_message",
        "_streamed",
        "body",
        "cookies",
        "engine",
        "envelope",
        "headers",
        "options",
    )

    def __init__(
        self,
        engine: Engine,
        method: str,
        url: str,
        options: Options,
        headers: Changes,
        cookies: tuple[Cookie, ...],
        forget: bool,
        streamed: Streamed,
    ) -> None:
        changes = _merged_changes(engine, options, headers)
        self.engine = engine
        self.options = options
        self.headers = headers
        self.cookies = cookies
        self.body = make_body(options)
        self._auth = options.auth if callable(options.auth) else None
        self._message = request_message(
            method, url, options, engine.options, changes, _merged_cookies(cookies, options), self.body
        )
        if options.cancel is not None:
            self._message["cancel"] = options.cancel.handle(engine.carrier)
        self._forget = forget
        self._streamed = streamed
        if forget:
            self._message["ownCookies"] = True
        self.envelope = b"" if self.manual else pack(self._message)

    @property
    def content(self) -> bytes | None:
        """The body, where it is bytes at hand."""
        return self.body.content if self.body else None

    @property
    def simple(self) -> bool:
        """Whether sending it is one step in most cases: no body in pieces goes or comes."""
        return not self.options.stream and (self.body is None or self.body.stream is None)

    @property
    def manual(self) -> bool:
        """Whether Python follows redirects: somebody wants to see each hop, or the body must be read anew for one."""
        return bool(self.options.hooks or self._auth or (self.body and self.body.stream))

    def add(self, **fields: Message) -> None:
        """Say more in the request's message."""
        self._message.update(fields)
        if not self.manual:
            self.envelope = pack(self._message)

    def finish(self, reply: Reply) -> Response:
        """Return the response, or raise what went wrong."""
        content = self.content
        if not reply.status:
            raise failure(unpack(reply.head), _described(self._message, content))
        if reply.handle:
            return self._streamed(reply, self.engine, content)
        return Response(reply.status, reply.head, reply.content, body=content, engine=self.engine.reference)

    def hops(self) -> Generator[None, Reply, Response]:
        """Send hop by hop: each time it yields, :attr:`envelope` and :attr:`body` are to be sent."""
        if not self._forget:
            return (yield from self._hops())
        del self._message["ownCookies"]  # the core does not know which hops belong together
        jar = self._message["jar"] = self.engine.copy_jar()
        try:
            return (yield from self._hops())
        finally:
            self.engine.carrier.close(jar)

    def _hops(self) -> Generator[None, Reply, Response]:
        history: list[Response] = []
        started = time.monotonic()
        self._message["manualRedirects"] = True
        while True:
            spent = time.monotonic() - started if history else 0.0
            if history:
                set_total_timeout(self._message, self.options.timeout, spent)
            if self._auth:
                self._authenticate()
            self.envelope = pack(self._message)
            response = self.finish((yield))
            add_spent(response._message, spent)
            response._history = history[:]
            redirect = response._message.get("redirect") if self.options.allow_redirects else None
            for hook in self.options.hooks:
                replaced = hook(response)
                response = response if replaced is None else replaced
            if not redirect:
                return response
            response.close()
            history.append(response)
            self._follow(redirect, response)

    def _authenticate(self) -> None:
        """Let the caller's callable change the request; what it set goes with this hop and those that it leads to."""
        request = _described(self._message, self.content)
        assert self._auth is not None
        changed = self._auth(request) or request
        removed = [(name, None) for name, value in self._message.get("headers", ()) if value is None]
        self._message.update(method=changed.method, url=changed.url, headers=[*removed, *changed.headers.pairs])

    def _follow(self, redirect: Message, response: Response) -> None:
        """Turn to the request that a reply leads to."""
        if not redirect.get("keepBody"):
            self.body = None
        elif self.body and self.body.stream and not self.body.stream.replayable:
            raise UnrewindableBodyError(f"the redirect to {redirect['url']} wants the body again", response=response)
        if redirect.get("foreign"):
            self._auth = None  # for good: it does not come back where a later hop returns to the first origin
        self._message = next_message(self._message, redirect)


def _merged_changes(engine: Engine, options: Options, headers: Changes) -> Changes:
    """Return what to tell the engine, for the request's headers to be over the session's, and those over its own."""
    since: Changes = ()
    if options.user_agent != engine.options.user_agent:
        since = (("User-Agent", options.user_agent),)
    if headers is not engine.headers:
        since += changes_between(engine.headers, headers)
    if not since:
        return options.headers
    named = {name.lower() for name, _ in options.headers}
    return (*[change for change in since if change[0].lower() not in named], *options.headers)


def _merged_cookies(everywhere: tuple[Cookie, ...], options: Options) -> tuple[Cookie, ...]:
    named = {cookie.name for cookie in options.cookies}
    if any(cookie.domain for cookie in options.cookies):
        raise InvalidOption(
            "a request's cookies go to the host of its URL: put those with a domain into the session's jar, "
            "session.cookies.update(…)"
        )
    return (*[cookie for cookie in everywhere if cookie.name not in named], *options.cookies)


def _described(message: Message, content: bytes | None) -> Request:
    """Return a request as its message says, for whoever wants to see or change it."""
    headers = [(name, value) for name, value in message.get("headers", ()) if value is not None]
    request = Request(message["method"], message["url"], body=content)
    request.headers = Headers._of(headers)
    return request
