"""Chunks that are sent without a buffer, one after the other, of files whose end nobody tells."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import Any, Final

import cycletls

from ._plan import document, refusal
from ._wire import ChunkHead

_TIMEOUTS: Final = cycletls.Timeouts(connect=10.0, write=30.0, read=60.0)


class SingleChunks:
    """What must be remembered between chunks: the id of each file's upload, which chunk 0 begins."""

    def __init__(self) -> None:
        self._ids: dict[str, tuple[str, str]] = {}

    def request(self, index: int, file_name: str, data: bytes, api_key: str) -> dict[str, Any]:
        """Return the options of a chunk's request."""
        sha256 = hashlib.sha256(data).hexdigest()
        head = ChunkHead(os.path.basename(file_name), index, self._upload_id(index, file_name, sha256), sha256)
        headers = {**head.headers(), "Authorization": f"Bearer {api_key}"}
        return {"headers": headers, "content": bytes(data), "timeout": _TIMEOUTS}

    def answer(self, response: cycletls.Response) -> dict[str, Any]:
        """Return what the server answered.

        Raises:
            IndexedCPError: the chunk is not stored.
        """
        if response.status_code != 200:
            raise refusal("Upload failed", response)
        return dict(document(response))

    def _upload_id(self, index: int, file_name: str, sha256: str) -> str:
        """Return the id of a file's upload; the same chunk 0 again is a second try, another one a new upload."""
        known = self._ids.get(file_name)
        if known is None or (index == 0 and known[1] != sha256):
            known = (secrets.token_hex(16), sha256 if index == 0 else "")
            self._ids[file_name] = known
        return known[0]
