"""The client for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

import cycletls

from ._base import BaseClient
from ._buffer import BufferedFile, Progress
from ._plan import Job, Plan, Wait


class AsyncIndexCPClient(BaseClient):
    """:class:`IndexCPClient` with the same methods as coroutines, in one event loop.

    Cancelling a task that uploads ends its requests; what is not on the server stays in the buffer. Disk and buffer are
    used in threads, and so is ``progress``. Leaving the ``async with`` block closes the client.

    Its arguments are those of :class:`BaseClient`.
    """

    _session: cycletls.AsyncCycleTLS | None = None

    async def add_file(self, file_path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Copy a file into the buffer, see :meth:`IndexCPClient.add_file`."""
        file = await asyncio.to_thread(self._buffer.add, os.fspath(file_path), self.chunk_size, progress)
        return file.layout.count

    async def upload_buffered_files(
        self, server_url: str, *, progress: Progress | None = None, resend: bool = False
    ) -> dict[str, str]:
        """Upload what is in the buffer, see :meth:`IndexCPClient.upload_buffered_files`."""
        with self._buffer.exclusive():
            if not await self.buffered():
                return {}
            plan = await asyncio.to_thread(self._plan, server_url, progress, resend)
            for pause in plan.rounds():
                await asyncio.sleep(pause)
                await _Round(plan, self._http_session()).run()
            return plan.results

    async def buffer_and_upload(
        self, file_path: str | os.PathLike[str], server_url: str, *, progress: Progress | None = None
    ) -> str:
        """Copy a file into the buffer and upload what is there, see :meth:`IndexCPClient.buffer_and_upload`."""
        await self.add_file(file_path)
        return (await self.upload_buffered_files(server_url, progress=progress))[os.fspath(file_path)]

    async def upload_chunk(
        self, server_url: str, chunk_data: bytes, index: int, file_name: str, api_key: str | None = None
    ) -> dict[str, Any]:
        """Send a chunk without buffering it, see :meth:`IndexCPClient.upload_chunk`."""
        options = self._single.request(index, file_name, chunk_data, api_key or self.get_api_key())
        return self._single.answer(await self._http_session().request("POST", server_url, **options))

    async def get_buffered_files(self) -> list[str]:
        """Return the paths of what is in the buffer, in the order in which it was added."""
        return [file.path for file in await self.buffered()]

    async def buffered(self) -> list[BufferedFile]:
        """Return what is known of what is in the buffer, in the order in which it was added."""
        return await asyncio.to_thread(self._buffer.files)

    async def clear_buffer(self) -> None:
        """Forget all that is in the buffer, and how far it was."""
        await asyncio.to_thread(self._buffer.clear)

    async def aclose(self) -> None:
        """Close the buffer and connections; the next use opens them again."""
        self._buffer.close()
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def __aenter__(self) -> AsyncIndexCPClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _http_session(self) -> cycletls.AsyncCycleTLS:
        if self._session is None:
            self._session = cycletls.AsyncCycleTLS(**self._http)
        return self._session


class _Round:
    """The tasks of a round."""

    def __init__(self, plan: Plan, session: cycletls.AsyncCycleTLS) -> None:
        self._plan, self._session = plan, session
        self._turn = asyncio.Condition()

    async def run(self) -> None:
        """Do all jobs of the round; what interrupts it, cancelling too, ends them."""
        workers = [asyncio.ensure_future(self._work()) for _ in range(self._plan.width)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while (job := await self._take()) is not None:
            try:
                method, url, options = await asyncio.to_thread(self._plan.request, job)
                response = await self._session.request(method, url, **options)
            except cycletls.RequestException as exc:
                await self._tell(self._plan.failed, job, exc)
            else:
                await self._tell(self._plan.answered, job, response)

    async def _take(self) -> Job | None:
        async with self._turn:
            while isinstance(job := await asyncio.to_thread(self._plan.take), Wait):
                await self._turn.wait()
            return job

    async def _tell(self, tell: Callable[[Job, Any], None], job: Job, outcome: object) -> None:
        async with self._turn:
            await asyncio.to_thread(tell, job, outcome)
            self._turn.notify_all()
