"""The client whose methods are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar, cast

import cycletls

from ._methods import Methods
from ._operations import Operations
from ._retries import Retries
from ._settings import BASE_URL, MAX_RETRIES, RETRY_BACKOFF, TIMEOUT, session_options
from ._steps import Emit, Request, Steps, Stream, Walk

T = TypeVar("T")


class AsyncCipherRunClient(Methods):
    """A client of a CipherRun server; threads may share it.

    Args:
        base_url: of the server, without ``/api/v1``.
        api_key: sent with every request.
        timeout: seconds for a call with all its attempts and pauses (those that scan take 330 at least);
            None is no limit.
        max_retries: attempts after the first; only of what may be sent twice.
        retry_backoff: seconds of the first pause; each further one is twice as long, and all are shortened by chance.
        options: what else is said to :class:`cycletls.AsyncCycleTLS`, e.g. ``verify="ca.pem"``.

    Raises:
        ValidationError: one of them is none.
    """

    def __init__(
        self,
        base_url: str = BASE_URL,
        api_key: str | None = None,
        timeout: float | None = TIMEOUT,
        max_retries: int = MAX_RETRIES,
        retry_backoff: float = RETRY_BACKOFF,
        **options: Any,
    ) -> None:
        self._operations = Operations(base_url, timeout, Retries(max_retries, retry_backoff))
        self._session = cycletls.AsyncCycleTLS(**session_options(api_key, "CipherRun-Python-SDK-Async"), **options)

    async def close(self) -> None:
        """Close all connections; closing twice is harmless."""
        await self._session.aclose()

    async def __aenter__(self) -> AsyncCipherRunClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, steps: Steps[T]) -> T:
        async with _World(self._session) as world:
            walk = Walk(steps)
            while walk.step:
                await world.take(walk)
            return cast(T, walk.result)

    async def _iterate(self, steps: Stream[T]) -> AsyncGenerator[T, None]:
        async with _World(self._session) as world:
            walk = Walk(steps)
            while walk.step:
                if isinstance(walk.step, Emit):
                    yield walk.step.value
                    walk.done()
                else:
                    await world.take(walk)


class _World:
    """Takes steps while the caller waits; leaving its ``with`` block closes the WebSocket."""

    def __init__(self, session: cycletls.AsyncCycleTLS) -> None:
        self._session = session
        self._sockets = AsyncExitStack()

    async def __aenter__(self) -> _World:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sockets.aclose()

    async def take(self, walk: Walk[T]) -> None:
        """Take the next step of a walk."""
        try:
            outcome = await walk.step(self)
        except Exception as failure:
            walk.failed(failure)
        else:
            walk.done(outcome)

    async def send(self, request: Request) -> cycletls.Response:
        return await self._session.request(
            request.method, request.url, params=request.params, json=request.json, timeout=request.timeout
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def connect(self, url: str, timeout: float | None) -> None:
        await self._sockets.aclose()
        self._socket = await self._sockets.enter_async_context(self._session.websocket(url, timeout=timeout))

    async def receive(self, timeout: float | None) -> str | bytes:
        return await self._socket.recv(timeout)
