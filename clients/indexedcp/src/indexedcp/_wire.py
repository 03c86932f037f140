"""What both ends say to each other, written once.

A chunk is the body of a POST. Every IndexedCP server understands the first two headers; the others are ours, ignored by
servers that do not know them, and make the exchange exact:

    X-Chunk-Index           which chunk, from 0
    X-File-Name             what the file is called (percent-encoded where X-File-Name-Encoding says so)
    X-Upload-Id             one upload of one file, however many connections and runs it takes
    X-Chunk-Offset          where in the file this body begins: inside the chunk, where its beginning has arrived before
    X-Chunk-SHA256          of the whole chunk
    X-Chunk-Size, X-Total-Chunks, X-File-Size, X-File-SHA256    of the whole file

``GET <upload>/status?id=`` tells what has arrived. Every answer of our server has X-IndexedCP, and that to a chunk of a
whole file has X-Upload-State.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlencode, urlsplit, urlunsplit

CHUNK_INDEX: Final = "X-Chunk-Index"
FILE_NAME: Final = "X-File-Name"
FILE_NAME_ENCODING: Final = "X-File-Name-Encoding"
UPLOAD_ID: Final = "X-Upload-Id"
CHUNK_OFFSET: Final = "X-Chunk-Offset"
CHUNK_SHA256: Final = "X-Chunk-SHA256"
CHUNK_SIZE: Final = "X-Chunk-Size"
TOTAL_CHUNKS: Final = "X-Total-Chunks"
FILE_SIZE: Final = "X-File-Size"
FILE_SHA256: Final = "X-File-SHA256"
SERVER: Final = "X-IndexedCP"
"""In every answer of our server."""

STATE: Final = "X-Upload-State"
"""In our server's answer to a chunk of a file that is known as a whole: whether the file is complete now."""

DEFAULT_NAME: Final = "uploaded_file.txt"
"""What a file is called that no header names."""
COMPLETE: Final = "complete"
OPEN: Final = "open"
DEFAULT_PORT: Final = 3000
DEFAULT_CHUNK_SIZE: Final = 1024 * 1024
SERVER_VERSION: Final = "1"

_PLAIN = re.compile(r"[!-~]+(?: +[!-~]+)*")
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")


class BadRequest(ValueError):
    """A request whose headers make no sense."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file of a size is cut into chunks; an empty file has one, which is empty."""

    size: int
    chunk_size: int

    @property
    def count(self) -> int:
        """The number of chunks."""
        return max(1, -(-self.size // self.chunk_size))

    def start(self, index: int) -> int:
        """Return where in the file a chunk begins."""
        return index * self.chunk_size

    def length(self, index: int) -> int:
        """Return the number of bytes of a chunk."""
        return min(self.chunk_size, self.size - self.start(index))


@dataclass(frozen=True, slots=True)
class Whole:
    """What is known of a file when all of it is: its layout and its hash."""

    layout: Layout
    sha256: str


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """The headers of one chunk.

    Attributes:
        name: what the client calls the file, verbatim.
        index: which chunk.
        upload_id: None from clients that know no ids.
        sha256: of the whole chunk, None where the client does not tell.
        skip: bytes of the chunk that this body leaves out because they have arrived before.
        whole: None where the client does not tell what the whole file is.
    """

    name: str
    index: int
    upload_id: str | None = None
    sha256: str | None = None
    skip: int = 0
    whole: Whole | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that say this."""
        headers = {"Content-Type": "application/octet-stream", CHUNK_INDEX: str(self.index), **_name_headers(self.name)}
        if self.upload_id is not None:
            headers[UPLOAD_ID] = self.upload_id
        if self.sha256 is not None:
            headers[CHUNK_SHA256] = self.sha256
        if self.whole is not None:
            layout = self.whole.layout
            headers[CHUNK_OFFSET] = str(layout.start(self.index) + self.skip)
            headers[CHUNK_SIZE] = str(layout.chunk_size)
            headers[TOTAL_CHUNKS] = str(layout.count)
            headers[FILE_SIZE] = str(layout.size)
            headers[FILE_SHA256] = self.whole.sha256
        return headers

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> ChunkHead:
        """Read the headers of a chunk.

        Args:
            headers: looked up without regard to case, values decoded as latin-1.

        Raises:
            BadRequest: one is missing, malformed, or contradicts another.
        """
        index = _number(headers, CHUNK_INDEX)
        upload_id = _matching(headers, UPLOAD_ID, _ID)
        sha256 = _matching(headers, CHUNK_SHA256, _SHA256)
        if FILE_SIZE not in headers:
            return cls(_name(headers), index, upload_id, sha256)
        if upload_id is None or sha256 is None:
            raise BadRequest(f"{FILE_SIZE} without {UPLOAD_ID} and {CHUNK_SHA256}")
        whole = _whole(headers)
        if index >= whole.layout.count:
            raise BadRequest(f"{CHUNK_INDEX} {index} of {whole.layout.count} chunks")
        skip = _number(headers, CHUNK_OFFSET) - whole.layout.start(index)
        if not 0 <= skip <= whole.layout.length(index):
            raise BadRequest(f"{CHUNK_OFFSET} is outside of chunk {index}")
        return cls(_name(headers), index, upload_id, sha256, skip, whole)


@dataclass(frozen=True, slots=True)
class Status:
    """What our server has of an upload.

    Attributes:
        complete: the file is there, whole and verified.
        received: chunks that are on disk and verified, as inclusive ranges.
        partial: how many bytes of chunks that broke off have arrived.
        actual_name: what the server calls the file.
    """

    complete: bool
    received: tuple[tuple[int, int], ...]
    partial: Mapping[int, int]
    actual_name: str

    @classmethod
    def of(cls, complete: bool, received: set[int], partial: Mapping[int, int], actual_name: str) -> Status:
        """Make a status of a set of chunks."""
        return cls(complete, tuple(_ranges(sorted(received))), partial, actual_name)

    def document(self) -> dict[str, object]:
        """Return it as what JSON is made of."""
        return {
            "state": COMPLETE if self.complete else OPEN,
            "received": [list(pair) for pair in self.received],
            "partial": {str(index): length for index, length in self.partial.items()},
            "actualFilename": self.actual_name,
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Status:
        """Read what :meth:`document` made."""
        return cls(
            document["state"] == COMPLETE,
            tuple((int(first), int(last)) for first, last in document["received"]),
            {int(index): int(length) for index, length in document["partial"].items()},
            str(document["actualFilename"]),
        )

    def chunks(self) -> set[int]:
        """Return the chunks that are on disk and verified."""
        return {index for first, last in self.received for index in range(first, last + 1)}


def receipt(actual_name: str, head: ChunkHead) -> dict[str, object]:
    """Return the answer to a stored chunk, whose keys and their order are every IndexedCP server's."""
    return {
        "message": "Chunk received",
        "actualFilename": actual_name,
        "chunkIndex": head.index,
        "clientFilename": head.name,
    }


def status_url(upload_url: str, upload_id: str) -> str:
    """Return where to ask what has arrived of an upload."""
    parts = urlsplit(upload_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/status", query=urlencode({"id": upload_id})))


def _name_headers(name: str) -> dict[str, str]:
    if _PLAIN.fullmatch(name):
        return {FILE_NAME: name}
    return {FILE_NAME: quote(os.fsencode(name), safe=""), FILE_NAME_ENCODING: "percent"}


def _name(headers: Mapping[str, str]) -> str:
    name = headers.get(FILE_NAME, DEFAULT_NAME)
    encoding = headers.get(FILE_NAME_ENCODING)
    if encoding == "percent":
        return unquote_to_bytes(name).decode(errors="replace")
    if encoding is not None:
        raise BadRequest(f"{FILE_NAME_ENCODING} is not one that is known")
    try:
        return name.encode("latin-1").decode()  # raw UTF-8, as curl sends it
    except UnicodeError:
        return name


def _whole(headers: Mapping[str, str]) -> Whole:
    size, chunk_size = _number(headers, FILE_SIZE), _number(headers, CHUNK_SIZE)
    if chunk_size == 0:
        raise BadRequest(f"{CHUNK_SIZE} is 0")
    layout = Layout(size, chunk_size)
    if _number(headers, TOTAL_CHUNKS) != layout.count:
        raise BadRequest(f"{TOTAL_CHUNKS} is not what {FILE_SIZE} and {CHUNK_SIZE} make")
    sha256 = _matching(headers, FILE_SHA256, _SHA256)
    if sha256 is None:
        raise BadRequest(f"{FILE_SHA256} is missing")
    return Whole(layout, sha256)


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not _DECIMAL.fullmatch(text):
        raise BadRequest(f"{name} is not a number from 0 on")
    return int(text)


def _matching(headers: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str | None:
    text = headers.get(name)
    if text is not None and not shape.fullmatch(text):
        raise BadRequest(f"{name} is malformed")
    return text


def _ranges(indices: list[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for index in indices:
        if first >= 0 and index == last + 1:
            last = index
            continue
        if first >= 0:
            yield first, last
        first = last = index
    if first >= 0:
        yield first, last
