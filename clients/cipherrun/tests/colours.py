"""Both colours of a client behind one face, so that a test is written once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import closing
from typing import Any, Final, Protocol, TypeVar

from cipherrun import AsyncCipherRunClient, CipherRunClient, ProgressMessage

T = TypeVar("T")


class Caller(Protocol):
    """A client of either colour, as if it blocked."""

    def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method and return what it does, or what it leads to, or all that it iterates over."""

    def progress(self, *arguments: Any, **options: Any) -> Iterator[ProgressMessage]:
        """Iterate over the progress of a scan."""

    def close(self) -> None:
        """Close the client."""


class SyncCaller:
    """A client that blocks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = CipherRunClient(*arguments, **options)

    def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        outcome = getattr(self._client, name)(*arguments, **options)
        return list(outcome) if name == "stream_progress" else outcome

    def progress(self, *arguments: Any, **options: Any) -> Iterator[ProgressMessage]:
        with closing(self._client.stream_progress(*arguments, **options)) as messages:
            yield from messages

    def close(self) -> None:
        self._client.close()


class AsyncCaller:
    """A client that is awaited, in an event loop that runs all the while in a thread of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = AsyncCipherRunClient(*arguments, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _wait(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        if name == "stream_progress":
            return list(self.progress(*arguments, **options))
        return self._wait(getattr(self._client, name)(*arguments, **options))

    def progress(self, *arguments: Any, **options: Any) -> Iterator[ProgressMessage]:
        messages = self._client.stream_progress(*arguments, **options)
        try:
            while (message := self._wait(self._next(messages))) is not None:
                yield message
        finally:
            self._wait(self._left(messages))

    async def _next(self, messages: AsyncIterator[ProgressMessage]) -> ProgressMessage | None:
        return await anext(messages, None)

    async def _left(self, messages: AsyncGenerator[ProgressMessage, None]) -> None:
        await messages.aclose()

    def close(self) -> None:
        self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


COLOURS: Final[Mapping[str, Callable[..., Caller]]] = {"sync": SyncCaller, "async": AsyncCaller}
