"""Cutting a body that comes in whatever pieces into those that its reader wants."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from typing import Any, Protocol

    class Cutter(Protocol):
        """Makes pieces of pieces."""

        def feed(self, piece: Any, /) -> Iterable[Any]:
            """Return the pieces that are complete with this one."""

        def end(self) -> Iterable[Any]:
            """Return what is left."""


class Sizes:
    """Pieces of one size, the last one excepted; None leaves them as they come."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._rest: Any = b""

    def feed(self, piece: Any, /) -> Iterable[Any]:
        """Return the pieces that are complete with this one."""
        size = self._size
        if not size:
            return (piece,) if piece else ()
        whole = self._rest + piece if self._rest else piece
        complete = len(whole) - len(whole) % size
        self._rest = whole[complete:]
        return [whole[start : start + size] for start in range(0, complete, size)]

    def end(self) -> Iterable[Any]:
        """Return what is left."""
        return (self._rest,) if self._rest else ()


class Lines:
    """Lines without their ends, or what stands between delimiters."""

    def __init__(self, delimiter: Any = None) -> None:
        self._delimiter = delimiter
        self._open: list[Any] = []  # pieces of the line that has not ended

    def feed(self, piece: Any, /) -> Iterable[Any]:
        """Return the lines that are complete with this piece."""
        if not piece:
            return ()
        empty = piece[:0]
        if self._open and (self._delimiter or self._open[-1][-1:] in (b"\r", "\r")):
            piece = empty.join([*self._open, piece])  # the end of a line may be cut in two
            self._open = []
        lines: list[Any]
        if self._delimiter:
            *lines, rest = piece.split(self._delimiter)
            self._open = [rest]
            return lines
        lines = piece.splitlines(keepends=True)
        kept = lines.pop() if self._unfinished(lines[-1]) else empty
        if lines and self._open:
            lines[0] = empty.join([*self._open, lines[0]])
            self._open = []
        if kept:
            self._open.append(kept)
        return [_without_end(line) for line in lines]

    def end(self) -> Iterable[Any]:
        """Return the line that nothing ended."""
        if not self._open:
            return ()
        rest = self._open[0][:0].join(self._open)
        return (rest,) if self._delimiter else rest.splitlines()

    @staticmethod
    def _unfinished(line: Any) -> bool:
        """Report whether a line may go on: \\r may be the half of an end."""
        return bool(line[-1:] in (b"\r", "\r") or line.splitlines() == [line])


def _without_end(line: Any) -> Any:
    return line.splitlines()[0]


class Texts:
    """Text of bytes; what the charset does not know becomes U+FFFD."""

    def __init__(self, decoder: IncrementalDecoder) -> None:
        self._decoder = decoder

    def feed(self, piece: bytes, /) -> Iterable[str]:
        """Return the text that is complete with these bytes."""
        text = self._decoder.decode(piece)
        return (text,) if text else ()

    def end(self) -> Iterable[str]:
        """Return what half a character becomes."""
        text = self._decoder.decode(b"", True)
        return (text,) if text else ()


class Pieces:
    """An iterator over a body, of either colour.

    Args:
        pull: brings some more of it, b"" after the last; it is awaited where ``async for`` iterates.
        cutters: what becomes of it, one after the other.
    """

    __slots__ = ("_cutters", "_ended", "_pull", "_ready")

    def __init__(self, pull: Callable[[], bytes | Awaitable[bytes]], cutters: Sequence[Cutter]) -> None:
        self._pull: Any = pull
        self._cutters = cutters
        self._ready: deque[Any] = deque()
        self._ended = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while not self._ready:
            if self._ended:
                raise StopIteration
            self._take(self._pull())
        return self._ready.popleft()

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> Any:
        while not self._ready:
            if self._ended:
                raise StopAsyncIteration
            piece = self._pull()
            self._take(piece if isinstance(piece, bytes) else await piece)
        return self._ready.popleft()

    def _take(self, piece: bytes) -> None:
        self._ended = not piece
        pieces: list[Any] = [piece] if piece else []
        for cutter in self._cutters:
            made = [small for large in pieces for small in cutter.feed(large)]
            pieces = made + list(cutter.end()) if self._ended else made
        self._ready.extend(pieces)
