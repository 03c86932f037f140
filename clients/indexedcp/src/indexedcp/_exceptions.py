"""Everything that can be raised beside what cycletls raises, as a tree.

cycletls.RequestException
└── IndexedCPError               an upload did not succeed; has .results and .path
    ├── AuthenticationFailed     the server does not accept the key (also a ValueError)
    ├── UploadRefused            the server answered with an error; has .status
    │   └── ServerBusy           it may accept the same later; has .retry_after
    ├── AmbiguousDelivery        a server without upload ids may or may not have stored a chunk
    └── FileSplit                a server without upload ids puts each chunk into a file of its own
ValueError
└── MissingAPIKey                there is no key, and nobody to ask for one
OSError
└── FileChanged                  a file changed while it was read into the buffer
RuntimeError
├── BufferInUse                  another process uploads from the same buffer
└── FolderInUse                  another server has the output folder (in _output.py)
UserWarning
└── SourceChanged                a file has changed since it was buffered; what was buffered is uploaded
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cycletls

_NOTHING: Mapping[str, str] = MappingProxyType({})


class IndexedCPError(cycletls.RequestException):
    """An upload did not succeed; what is not stored stays in the buffer.

    Attributes:
        path: the file, None where it is about all.
        results: the files that were uploaded nevertheless, as ``upload_buffered_files`` returns them.
    """

    path: str | None = None
    results: Mapping[str, str] = _NOTHING


class AuthenticationFailed(IndexedCPError, ValueError):
    """The server does not accept the key."""


class UploadRefused(IndexedCPError):
    """The server answered with an error.

    Attributes:
        status: of the answer.
    """

    status: int = 0


class ServerBusy(UploadRefused):
    """The server cannot do it now.

    Attributes:
        retry_after: seconds after which it says that it can, 0 where it says nothing.
    """

    retry_after: float = 0.0


class AmbiguousDelivery(IndexedCPError):
    """A server without upload ids may or may not have stored a chunk, so that sending it again could double it."""

    remedy = "look at the file on the server; resend=True sends the chunk again, clear_buffer() gives up"


class FileSplit(IndexedCPError):
    """A server without upload ids puts each chunk into a file of its own."""

    remedy = "a chunk_size as large as the file makes one chunk of it"


class MissingAPIKey(ValueError):
    """There is no key, and nobody to ask for one."""


class FileChanged(OSError):
    """A file changed while it was read into the buffer."""


class BufferInUse(RuntimeError):
    """Another process uploads from the same buffer."""


class SourceChanged(UserWarning):
    """A file has changed since it was buffered; what was buffered is uploaded."""
