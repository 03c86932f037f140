"""Chunks that are sent without a buffer, one after the other, of files whose end nobody tells."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import cycletls

from ._plan import document, refusal
from ._wire import ChunkHead

_TIMEOUTS: Final = cycletls.Timeouts(connect=10.0, write=30.0, read=60.0)


_NAMES: Final = 10_000
"""Files whose uploads are remembered; those whose chunks were sent longest ago are forgotten first."""


@dataclass(slots=True)
class _Sending:
    """The upload of a file that goes on."""

    id: str
    first_sha256: str
    last_index: int


class SingleChunks:
    """What must be remembered between chunks: the id of each file's upload, which chunk 0 begins."""

    def __init__(self) -> None:
        self._uploads: OrderedDict[str, _Sending] = OrderedDict()

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
        """Return the id of a file's upload; chunk 0 begins one, unless it is all that was sent of the last."""
        known = self._uploads.get(file_name)
        if known is None or (index == 0 and (known.first_sha256, known.last_index) != (sha256, 0)):
            known = self._uploads[file_name] = _Sending(secrets.token_hex(16), sha256 if index == 0 else "", index)
            if len(self._uploads) > _NAMES:
                self._uploads.popitem(last=False)
        known.last_index = max(known.last_index, index)
        self._uploads.move_to_end(file_name)
        return known.id
