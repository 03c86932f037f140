"""What a request body is: bytes at hand, or a stream that is read while it is sent."""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from ._exceptions import InvalidBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol, TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

    class Stream(Protocol):
        """A body in pieces.

        Attributes:
            length: bytes in all, None where only the end tells.
            replayable: whether iterating again starts from the beginning.
        """

        length: int | None
        replayable: bool

        def __iter__(self) -> Iterator[Bytes]: ...

    class AsyncStream(Protocol):
        """The same for an event loop."""

        length: int | None
        replayable: bool

        def __aiter__(self) -> AsyncIterator[Bytes]: ...


PIECE: Final = 64 * 1024
"""Bytes that are read from a file at once: larger ones gain nothing, and leave malloc's own pools."""


class Body:
    """A body and its type: either ``content`` or ``stream`` is there."""

    __slots__ = ("content", "content_type", "stream")

    def __init__(
        self, content: bytes | None, stream: Stream | AsyncStream | None = None, content_type: str = ""
    ) -> None:
        self.content = content
        self.stream = stream
        self.content_type = content_type


class FileStream:
    """A binary file from where it stands to its end."""

    __slots__ = ("_file", "_start", "length", "replayable")

    def __init__(self, file: Any) -> None:
        if isinstance(file, io.TextIOBase):
            raise InvalidBody("a file that is sent is opened in binary mode: open(path, 'rb')")
        self._file = file
        self._start = 0
        self.length: int | None = None
        try:
            self._start = file.tell()
            self.length = max(file.seek(0, io.SEEK_END) - self._start, 0)
            file.seek(self._start)
        except (AttributeError, OSError):  # a pipe, a socket, something that only reads
            self.length = None
        self.replayable = self.length is not None

    def __iter__(self) -> Iterator[Bytes]:
        if self.length is None:
            while piece := self._read(PIECE):
                yield piece
            return
        self._file.seek(self._start)
        left = self.length  # a file that grows meanwhile is sent as it was announced
        while left and (piece := self._read(min(left, PIECE))):
            left -= len(piece)
            yield piece

    def _read(self, size: int) -> Bytes:
        return _piece(self._file.read(size))


class IterableStream:
    """What an iterable of bytes yields. One that is not its own iterator can be sent again."""

    __slots__ = ("_pieces", "length", "replayable")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.length: int | None = None
        self.replayable = not isinstance(pieces, Iterator)

    def __iter__(self) -> Iterator[Bytes]:
        return map(_piece, self._pieces)


class AsyncIterableStream:
    """What an asynchronous iterable of bytes yields, in an event loop."""

    __slots__ = ("_pieces", "length", "replayable")

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces
        self.length: int | None = None
        self.replayable = not isinstance(pieces, AsyncIterator)

    async def __aiter__(self) -> AsyncIterator[Bytes]:
        async for piece in self._pieces:
            yield _piece(piece)


class ContentStream:
    """Bytes at hand, sent in pieces: somebody wants to see how it goes."""

    __slots__ = ("_content", "length", "replayable")

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self.length: int | None = len(content)
        self.replayable = True

    def __iter__(self) -> Iterator[Bytes]:
        return (self._content[start : start + PIECE] for start in range(0, len(self._content), PIECE))


def _piece(piece: object) -> Bytes:
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return piece
    raise InvalidBody(f"a streamed body consists of bytes, not of {type(piece).__name__}")
