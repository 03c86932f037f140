"""The client."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Any

import cycletls

from ._base import BaseClient
from ._buffer import BufferedFile, Progress
from ._plan import Job, Plan, Wait


class IndexCPClient(BaseClient):
    """Buffers files and uploads them. Threads may share it; leaving its ``with`` block closes it.

    Its arguments are those of :class:`BaseClient`.
    """

    _session: cycletls.CycleTLS | None = None

    def add_file(self, file_path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
        """Copy a file into the buffer; one that is there already with the same content goes on as it was.

        Args:
            file_path: the file.
            progress: called with path, bytes done and bytes in all.

        Returns:
            The number of its chunks.

        Raises:
            FileNotFoundError: there is none.
            FileChanged: it changed meanwhile.
        """
        return self._buffer.add(os.fspath(file_path), self.chunk_size, progress).layout.count

    def upload_buffered_files(
        self, server_url: str, *, progress: Progress | None = None, resend: bool = False
    ) -> dict[str, str]:
        """Upload what is in the buffer. What the server has leaves it; what fails stays and goes on the next time.

        Args:
            server_url: of the upload endpoint.
            progress: called with path, bytes done and bytes in all.
            resend: to a server without upload ids, send chunks again that it may have.

        Returns:
            The server's name of each file, by the path that was added.

        Raises:
            AuthenticationFailed: the server does not accept the key; also a ValueError.
            cycletls.RequestException: not everything was uploaded.
            BufferInUse: somebody else uploads from this buffer.
        """
        with self._buffer.exclusive():
            if not self._buffer.files():
                return {}
            plan = self._plan(server_url, progress, resend)
            for pause in plan.rounds():
                time.sleep(pause)
                _Round(plan, self._http_session()).run()
            return plan.results

    def buffer_and_upload(
        self, file_path: str | os.PathLike[str], server_url: str, *, progress: Progress | None = None
    ) -> str:
        """Copy a file into the buffer and upload what is there.

        Returns:
            The server's name of the file.

        Raises:
            FileNotFoundError: there is no such file.
            cycletls.RequestException: as of :meth:`upload_buffered_files`; the file is in the buffer then.
        """
        self.add_file(file_path)
        return self.upload_buffered_files(server_url, progress=progress)[os.fspath(file_path)]

    def upload_chunk(
        self, server_url: str, chunk_data: bytes, index: int, file_name: str, api_key: str | None = None
    ) -> dict[str, Any]:
        """Send a chunk without buffering it. Chunks of a file are sent one after the other, from 0.

        Args:
            server_url: of the upload endpoint.
            chunk_data: the bytes.
            index: which chunk.
            file_name: the file; the server sees the last part of a path.
            api_key: instead of the client's.

        Returns:
            What the server answered, an empty dictionary where that is no JSON.

        Raises:
            AuthenticationFailed: the server does not accept the key; also a ValueError.
            cycletls.RequestException: it is not stored, or nobody knows.
        """
        options = self._single.request(index, file_name, chunk_data, api_key or self.get_api_key())
        return self._single.answer(self._http_session().request("POST", server_url, **options))

    def get_buffered_files(self) -> list[str]:
        """Return the paths of what is in the buffer, in the order in which it was added."""
        return [file.path for file in self._buffer.files()]

    def buffered(self) -> list[BufferedFile]:
        """Return what is known of what is in the buffer, in the order in which it was added."""
        return self._buffer.files()

    def clear_buffer(self) -> None:
        """Forget all that is in the buffer, and how far it was."""
        self._buffer.clear()

    def close(self) -> None:
        """Close the buffer and connections; the next use opens them again."""
        self._buffer.close()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> IndexCPClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _http_session(self) -> cycletls.CycleTLS:
        if self._session is None:
            self._session = cycletls.CycleTLS(**self._http)
        return self._session


class _Round:
    """The threads of a round."""

    def __init__(self, plan: Plan, session: cycletls.CycleTLS) -> None:
        self._plan, self._session = plan, session
        self._turn = threading.Condition()
        self._token = cycletls.CancelToken()

    def run(self) -> None:
        """Do all jobs of the round; what interrupts it, Ctrl-C too, ends them."""
        with ThreadPoolExecutor(self._plan.width, "indexcp") as pool:
            workers = [pool.submit(self._work) for _ in range(self._plan.width)]
            try:
                for worker in as_completed(workers):
                    worker.result()
            except BaseException:
                self._token.cancel()
                with self._turn:
                    self._plan.end()
                    self._turn.notify_all()
                raise

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                method, url, options = self._plan.request(job)
                response = self._session.request(method, url, cancel=self._token, **options)
            except cycletls.RequestException as exc:
                self._tell(self._plan.failed, job, exc)
            else:
                self._tell(self._plan.answered, job, response)

    def _take(self) -> Job | None:
        with self._turn:
            while isinstance(job := self._plan.take(), Wait):
                self._turn.wait()
            return job

    def _tell(self, tell: Callable[[Job, Any], None], job: Job, outcome: object) -> None:
        with self._turn:
            tell(job, outcome)
            self._turn.notify_all()
