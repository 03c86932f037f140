"""What both clients are: a buffer, a key, and how they upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._buffer import Buffer, Progress
from ._keys import ask_api_key
from ._plan import Plan
from ._single import SingleChunks
from ._wire import DEFAULT_CHUNK_SIZE

WIDTH: Final = 4
"""Requests at once, where the server can."""
RETRIES: Final = 4
"""Rounds without progress before an upload gives up."""

_SESSION: Final[Mapping[str, Any]] = {
    "profile": None,
    "idle_timeout": 3.0,  # servers on Node close connections after 5 s, and a chunk may be on its way to one then
    "allow_redirects": False,
}


class BaseClient:
    """The options of a client, and its buffer.

    Args:
        db_name: the buffer's name: it is ``~/.indexcp/{db_name}.db``.
        chunk_size: bytes of a chunk.
        width: requests at once, where the server can.
        retries: how often an upload goes on after a failure without having got further.
        http: options for the HTTP session, see :class:`cycletls.CycleTLS`, such as ``verify`` and ``proxy``.

    Attributes:
        api_key: sent to servers; where it is not set, the environment or the user is asked.
    """

    def __init__(
        self,
        db_name: str = "indexcp",
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        *,
        width: int = WIDTH,
        retries: int = RETRIES,
        http: Mapping[str, Any] | None = None,
    ) -> None:
        if chunk_size < 1:
            raise ValueError(f"chunk_size is a number of bytes, not {chunk_size}")
        self.db_name = db_name
        self.chunk_size = chunk_size
        self.width = width
        self.retries = retries
        self.api_key: str | None = None
        self._buffer = Buffer(db_name)
        self._http = {**_SESSION, **(http or {})}
        self._single = SingleChunks()

    @property
    def db_path(self) -> str:
        """Where the buffer is."""
        return str(self._buffer.path)

    def get_api_key(self) -> str:
        """Return the key that is set, that the environment has, or that the user types.

        Raises:
            MissingAPIKey: there is none, and nobody to ask.
        """
        if not self.api_key:
            self.api_key = ask_api_key()
        return self.api_key

    def _plan(self, server_url: str, progress: Progress | None, resend: bool) -> Plan:
        return Plan(
            self._buffer,
            server_url,
            self.get_api_key(),
            width=self.width,
            retries=self.retries,
            resend=resend,
            progress=progress,
        )
