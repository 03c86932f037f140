"""multipart/form-data (RFC 7578, names written as WHATWG's form submission does), made while it is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ._exceptions import InvalidHeader, InvalidOption
from ._streams import PIECE, Body, FileStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from ._streams import Bytes

    Segment: TypeAlias = bytes | FileStream

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_FORBIDDEN = frozenset("\r\n\0")
_SMALL = 4096


class MultipartStream:
    """A form's bytes: heads of parts and contents in turn; files are read while they are sent."""

    __slots__ = ("_segments", "length", "replayable")

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        lengths = [len(segment) if isinstance(segment, bytes) else segment.length for segment in segments]
        self.length = None if None in lengths else sum(length or 0 for length in lengths)
        self.replayable = self.length is not None

    def __iter__(self) -> Iterator[Bytes]:
        small = b""  # pieces too small for a write of their own
        for segment in self._segments:
            for piece in [segment] if isinstance(segment, bytes) else segment:
                if len(piece) < _SMALL:
                    small += piece
                else:
                    yield from (small, piece) if small else (piece,)
                    small = b""
        yield small


def multipart_body(fields: list[tuple[str, str]], files: Any) -> Body:
    """Make a form of text fields and files, in this order.

    A form whose length is small and known is read at once, so that it crosses
    to the core in one piece.
    """
    boundary = os.urandom(16).hex()  # 128 bits: no file can be made to contain it (CVE-2025-7783)
    parts = [(name, _Part(None, "", {}, value.encode("utf-8", "surrogateescape"))) for name, value in fields]
    parts += [(name, _describe(name, file)) for name, file in _pairs(files)]
    segments: list[Segment] = []
    delimiter = f"--{boundary}\r\n"
    for name, part in parts:
        segments += [(delimiter + part.head(name)).encode("utf-8", "surrogateescape"), part.content]
        delimiter = f"\r\n--{boundary}\r\n"
    stream = MultipartStream([*segments, f"\r\n--{boundary}--\r\n".encode()])
    content_type = f"multipart/form-data; boundary={boundary}"
    if stream.length is not None and stream.length <= PIECE:
        return Body(b"".join(stream), None, content_type)
    return Body(None, stream, content_type)


class _Part:
    """One part: a field where it has no file name, else a file."""

    __slots__ = ("_content_type", "_file_name", "_headers", "content")

    def __init__(self, file_name: str | None, content_type: str, headers: Mapping[str, str], content: Segment) -> None:
        self._file_name = file_name
        self._content_type = content_type
        self._headers = headers
        self.content = content

    def head(self, field: str) -> str:
        """Return the header lines and the empty line after them."""
        disposition = f'form-data; name="{field.translate(_ESCAPES)}"'
        if self._file_name is not None:
            disposition += f'; filename="{self._file_name.translate(_ESCAPES)}"'
        lines = {"Content-Disposition": disposition}
        if self._content_type:
            lines["Content-Type"] = self._content_type
        lines.update(self._headers)
        for name, value in lines.items():
            if _FORBIDDEN & {*name, *value} or ":" in name:
                raise InvalidHeader(f"a part cannot have the header {name!r}: {value!r:.100}")
        return "".join([f"{name}: {value}\r\n" for name, value in lines.items()]) + "\r\n"


def _pairs(files: Any) -> list[tuple[str, Any]]:
    try:
        pairs = [(field, file) for field, file in (files.items() if isinstance(files, Mapping) else files)]
    except (TypeError, ValueError):
        pairs = [(None, None)]
    if not all(isinstance(field, str) for field, _ in pairs):
        raise InvalidOption("files= is a mapping or pairs of field name and file")
    return pairs


def _describe(field: str, file: Any) -> _Part:
    """Read any of the shapes that requests takes."""
    if not isinstance(file, (tuple, list)):
        name = _file_name(file) or field
        return _Part(name, _guess_type(name), {}, _content(field, file))
    if not 2 <= len(file) <= 4:
        raise InvalidOption(f"files={{{field!r}: …}} is (file name, file[, content type[, headers]])")
    name, content, content_type, headers = (*file, None, None)[:4]
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    headers = headers or {}
    if not isinstance(headers, Mapping):
        raise InvalidOption(f"files={{{field!r}: …}}: the headers are a mapping, not a {type(headers).__name__}")
    for text in (name, content_type, *headers, *headers.values()):
        if not isinstance(text, (str, type(None))):
            raise InvalidOption(
                f"files={{{field!r}: …}}: file name, content type and headers are text, not {text!r:.100}"
            )
    return _Part(name, content_type or _guess_type(name), headers, _content(field, content))


def _content(field: str, content: Any) -> Segment:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, (bytearray, memoryview)):
        return bytes(content)
    if hasattr(content, "read"):
        return FileStream(content)
    raise InvalidOption(f"files={{{field!r}: …}} is a binary file, bytes or text, not a {type(content).__name__}")


def _file_name(file: Any) -> str:
    name = getattr(file, "name", "")
    if not isinstance(name, str) or name.startswith("<"):  # a descriptor's number, "<stdin>"
        return ""
    return os.path.basename(name)


def _guess_type(name: str | None) -> str:
    """Return the content type for a file of that name, "" for a field without one."""
    if name is None:
        return ""
    from mimetypes import guess_type  # reads the system's tables

    return guess_type(name)[0] or "application/octet-stream"
