"""JSON, which is imported by the first request or response that has any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ._exceptions import InvalidBody, RequestException

if TYPE_CHECKING:
    from ._response import Response


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class JSONDecodeError(RequestException, json.JSONDecodeError):
    """The body of a response is not JSON.

    Attributes:
        msg, doc, pos, lineno, colno: as in :class:`json.JSONDecodeError`.
    """

    def __init__(self, msg: str, doc: str, pos: int, *, response: Response | None = None) -> None:
        json.JSONDecodeError.__init__(self, msg, doc, pos)
        RequestException.__init__(self, f"{msg}: line {self.lineno} column {self.colno}", response=response)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, self.doc, self.pos), self.__dict__


def dumps(value: object) -> bytes:
    """Encode as browsers' JSON.stringify does: compact, UTF-8, no NaN."""
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidBody(f"json= cannot be encoded: {exc}") from exc


def loads(response: Response, options: dict[str, Any]) -> Any:
    """Decode a response's body.

    Raises:
        JSONDecodeError: it is not JSON.
    """
    try:
        return json.loads(response.content, **options)
    except json.JSONDecodeError as exc:
        raise JSONDecodeError(exc.msg, exc.doc, exc.pos, response=response) from exc
    except UnicodeDecodeError as exc:  # JSON is UTF-8 (RFC 8259 section 8.1)
        raise JSONDecodeError(str(exc), response.text, exc.start, response=response) from exc
