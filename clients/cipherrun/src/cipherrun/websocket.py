"""Progress on its own, for programs that only watch."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing
from types import TracebackType
from typing import Any

from ._settings import BASE_URL
from .async_client import AsyncCipherRunClient
from .client import CipherRunClient
from .models import ProgressMessage


class WebSocketProgressClient:
    """Watches scans on a server, see :meth:`AsyncCipherRunClient.stream_progress`.

    Args:
        base_url: of the server; ``ws://`` and ``wss://`` are understood, too.
        api_key: sent with every request.
        options: what else is said to :class:`AsyncCipherRunClient`.
    """

    def __init__(self, base_url: str = BASE_URL, api_key: str | None = None, **options: Any) -> None:
        self._client = AsyncCipherRunClient(base_url, api_key, **options)

    def stream_progress(self, scan_id: str, timeout: float | None = 300) -> AsyncGenerator[ProgressMessage, None]:
        """Iterate over the steps of a scan until it has ended; ``aclose()`` leaves before that."""
        return self._client.stream_progress(scan_id, timeout)

    async def stream_progress_with_callback(
        self,
        scan_id: str,
        callback: Callable[[ProgressMessage], Awaitable[object] | object],
        timeout: float | None = 300,
    ) -> None:
        """Call a function, or await a coroutine function, with each step of a scan until it has ended."""
        async with aclosing(self.stream_progress(scan_id, timeout)) as messages:
            async for message in messages:
                outcome = callback(message)
                if inspect.isawaitable(outcome):
                    await outcome

    async def close(self) -> None:
        """Close all connections; closing twice is harmless."""
        await self._client.close()

    async def __aenter__(self) -> WebSocketProgressClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def stream_progress_sync(
    base_url: str, scan_id: str, api_key: str | None = None, timeout: float | None = 300
) -> Generator[ProgressMessage, None, None]:
    """Iterate over the steps of a scan until it has ended, without a client and without asyncio."""
    with CipherRunClient(base_url, api_key) as client:
        yield from client.stream_progress(scan_id, timeout)
