"""Chunked, resumable file uploads that lose nothing: a client and a server."""

from ._async_client import AsyncIndexCPClient
from ._client import IndexCPClient
from ._exceptions import (
    AmbiguousDelivery,
    AuthenticationFailed,
    BufferInUse,
    FileChanged,
    FileSplit,
    IndexedCPError,
    MissingAPIKey,
    ServerBusy,
    SourceChanged,
    UploadRefused,
)
from ._limits import Limits
from ._output import FolderInUse
from ._server import IndexCPServer
from ._simple import create_simple_server

__all__ = [
    "AmbiguousDelivery",
    "AsyncIndexCPClient",
    "AuthenticationFailed",
    "BufferInUse",
    "FileChanged",
    "FileSplit",
    "FolderInUse",
    "IndexCPClient",
    "IndexCPServer",
    "IndexedCPError",
    "Limits",
    "MissingAPIKey",
    "ServerBusy",
    "SourceChanged",
    "UploadRefused",
    "create_simple_server",
]
