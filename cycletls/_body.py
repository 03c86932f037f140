"""Making a request's body of what the caller gives."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping

from ._exceptions import InvalidBody, InvalidOption
from ._streams import AsyncIterableStream, Body, ContentStream, FileStream, IterableStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._options import Options


def make_body(options: Options) -> Body | None:
    """Make the body that the options describe, None where they describe none.

    Raises:
        InvalidOption: they describe more than one.
        InvalidBody: what they describe cannot be encoded.
    """
    given = [name for name in ("json", "content", "files", "data") if _is_given(name, getattr(options, name))]
    if not given:
        return None
    if len(given) > 1 and given != ["files", "data"]:
        raise InvalidOption(f"{given[0]}= and {given[1]}= are two bodies, and a request has one")
    try:
        body = _body_of(given[0], options)
    except UnicodeEncodeError as exc:
        raise InvalidBody(f"{given[0]}= has text that is not Unicode, and cannot be sent as UTF-8: {exc}") from exc
    if options.upload_progress and body.content is not None:
        return Body(None, ContentStream(body.content), body.content_type)
    return body


def _body_of(name: str, options: Options) -> Body:
    if name == "json":
        return _json_body(options.json)
    if name == "files":
        from ._multipart import multipart_body

        return multipart_body(flatten(options.data, "data") if options.data else [], options.files)
    if name == "data" and _is_form(options.data):
        return _form_body(options.data)
    return _content_body(getattr(options, name), name)


def flatten(given: Any, word: str) -> list[tuple[str, str]]:
    """Return names and values as pairs of text, as requests does: a list repeats its name, None is left out."""
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        return [(_text(name), _text(value)) for name, values in pairs for value in _each(values) if value is not None]
    except (TypeError, ValueError) as exc:
        raise InvalidOption(f"{word}= is a mapping or pairs of name and value, not {given!r:.100}") from exc


def _is_given(name: str, value: object) -> bool:
    """Report whether an option describes a body; an empty form does not, empty JSON or text does."""
    if value is None:
        return False
    return name == "json" or not isinstance(value, (Mapping, list, tuple)) or bool(value)


def _is_form(data: object) -> bool:
    if isinstance(data, (list, tuple)):
        return all(isinstance(pair, (list, tuple)) for pair in data)
    return isinstance(data, Mapping)


def _form_body(data: Any) -> Body:
    from urllib.parse import urlencode

    text = urlencode(flatten(data, "data"), errors="surrogateescape")
    return Body(text.encode(), content_type="application/x-www-form-urlencoded")


def _json_body(value: object) -> Body:
    from ._json import dumps

    return Body(dumps(value), content_type="application/json")


def _content_body(content: Any, word: str) -> Body:
    if isinstance(content, bytes):
        return Body(content)
    if isinstance(content, str):
        return Body(content.encode())
    if isinstance(content, (bytearray, memoryview)):
        return Body(bytes(content))
    if hasattr(content, "read"):
        return Body(None, FileStream(content))
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        return Body(None, IterableStream(content))
    if isinstance(content, AsyncIterable):
        return Body(None, AsyncIterableStream(content))
    raise InvalidBody(f"{word}= is text, bytes, a file or an iterable of bytes, not a {type(content).__name__}")


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping)) else (values,)


def _text(part: object) -> str:
    return part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else str(part)
