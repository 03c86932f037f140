"""The client whose methods block."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar, cast

import cycletls

from ._methods import Methods
from ._operations import Operations
from ._retries import Retries
from ._settings import BASE_URL, MAX_RETRIES, RETRY_BACKOFF, TIMEOUT, session_options
from ._steps import Emit, Request, Steps, Stream, Walk

T = TypeVar("T")


class CipherRunClient(Methods):
    """A client of a CipherRun server; threads may share it.

    Args:
        base_url: of the server, without ``/api/v1``.
        api_key: sent with every request.
        timeout: seconds for a call with all its attempts and pauses (those that scan take 330 at least);
            None is no limit.
        max_retries: attempts after the first; only of what may be sent twice.
        retry_backoff: seconds of the first pause; each further one is twice as long, and all are shortened by chance.
        options: what else is said to :class:`cycletls.CycleTLS`, e.g. ``verify="ca.pem"``.

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
        self._session = cycletls.CycleTLS(**session_options(api_key, "CipherRun-Python-SDK"), **options)

    def close(self) -> None:
        """Close all connections; closing twice is harmless."""
        self._session.close()

    def __enter__(self) -> CipherRunClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        with _World(self._session) as world:
            walk = Walk(steps)
            while walk.step:
                world.take(walk)
            return cast(T, walk.result)

    def _iterate(self, steps: Stream[T]) -> Generator[T, None, None]:
        with _World(self._session) as world:
            walk = Walk(steps)
            while walk.step:
                if isinstance(walk.step, Emit):
                    yield walk.step.value
                    walk.done()
                else:
                    world.take(walk)


class _World:
    """Takes steps while the caller waits; leaving its ``with`` block closes the WebSocket."""

    def __init__(self, session: cycletls.CycleTLS) -> None:
        self._session = session
        self._sockets = ExitStack()

    def __enter__(self) -> _World:
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()

    def take(self, walk: Walk[T]) -> None:
        """Take the next step of a walk."""
        try:
            outcome = walk.step(self)
        except Exception as failure:
            walk.failed(failure)
        else:
            walk.done(outcome)

    def send(self, request: Request) -> cycletls.Response:
        return self._session.request(
            request.method, request.url, params=request.params, json=request.json, timeout=request.timeout
        )

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def connect(self, url: str, timeout: float | None) -> None:
        self._sockets.close()
        self._socket = self._sockets.enter_context(self._session.websocket(url, timeout=timeout))

    def receive(self, timeout: float | None) -> str | bytes:
        return self._socket.recv(timeout)
