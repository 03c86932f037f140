"""Everything that a client raises, as a tree.

CipherRunError                      base of all; has .message, .status_code, .details and .attempts
├── APIError                        the server answered, but not with what was asked for
│   ├── BadRequestError             400: the target, an option, a policy or a parameter is none
│   ├── UnauthorizedError           401: no API key, or a wrong one
│   ├── ForbiddenError              403: the key may not do this
│   ├── NotFoundError               404: no such scan, certificate, framework, policy or route
│   ├── ConflictError               409
│   ├── ValidationError             422: JSON of the wrong shape; without a status: an argument that cannot be sent
│   ├── RateLimitError              429: too many requests; has .retry_after
│   ├── InternalServerError         500: the server, its database or a scan within the request failed
│   ├── ServiceUnavailableError     503: the queue is full, or the server has no database or policy folder
│   ├── ScanFailedError             the scan that was waited for failed
│   └── ScanCancelledError          the scan that was waited for was cancelled
├── TimeoutError                    408, or a time limit of this side (also the builtin TimeoutError)
├── ConnectionError                 the server cannot be reached, or broke off (also the builtin ConnectionError)
└── WebSocketError                  the stream of progress sent something that is no message of it
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import ClassVar, Final


class CipherRunError(Exception):
    """Base of all that this package raises.

    Attributes:
        message: what happened, in the server's words where it has any.
        status_code: of the server's answer; None where there was none.
        details: what else the answer said; None where it said nothing.
        attempts: how many times the request was tried.
    """

    def __init__(self, message: str, status_code: int | None = None, details: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.details = details
        self.attempts = 1

    def __str__(self) -> str:
        return self.message if self.status_code is None else f"[{self.status_code}] {self.message}"


class APIError(CipherRunError):
    """The server answered, but not with what was asked for."""


class _StatusError(APIError):
    """An answer whose status has a class of its own."""

    code: ClassVar[int]
    meaning: ClassVar[str]

    def __init__(self, message: str | None = None, details: object = None) -> None:
        super().__init__(message or self.meaning, self.code, details)


class BadRequestError(_StatusError):
    """The server refuses the target, an option, a policy or a parameter."""

    code = 400
    meaning = "Bad request"


class UnauthorizedError(_StatusError):
    """There was no API key, or a wrong one."""

    code = 401
    meaning = "The API key is missing or wrong"


class ForbiddenError(_StatusError):
    """The API key may not do this."""

    code = 403
    meaning = "The API key has no permission for this"


class NotFoundError(_StatusError):
    """There is no such scan, certificate, framework, policy or route."""

    code = 404
    meaning = "Not found"


class ConflictError(_StatusError):
    """The request contradicts what the server has."""

    code = 409
    meaning = "Conflict"


class ValidationError(_StatusError, ValueError):
    """The request has the wrong shape: the server says so, or (without a status) it could not even be sent."""

    code = 422
    meaning = "The request has the wrong shape"

    def __init__(self, message: str | None = None, details: object = None, *, status_code: int | None = 422) -> None:
        super().__init__(message, details)
        self.status_code = status_code


class RateLimitError(_StatusError):
    """Too many requests.

    Attributes:
        retry_after: seconds to wait before the next one; None where the server does not say.
    """

    code = 429
    meaning = "Rate limit exceeded"

    def __init__(self, message: str | None = None, retry_after: float | None = None, details: object = None) -> None:
        super().__init__(message, details)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return super().__str__() + ("" if self.retry_after is None else f" (retry after {self.retry_after:g}s)")


class InternalServerError(_StatusError):
    """The server, its database, or a scan within the request failed."""

    code = 500
    meaning = "Internal server error"


class ServiceUnavailableError(_StatusError):
    """The queue is full, or the server has no database or no folder for policies."""

    code = 503
    meaning = "Service unavailable"


class ScanFailedError(APIError):
    """The scan that was waited for failed; the message says why."""


class ScanCancelledError(APIError):
    """The scan that was waited for was cancelled."""


class TimeoutError(CipherRunError, builtins.TimeoutError):  # the name by which users of this API know it
    """The server answered 408, or a time limit of this side passed (then without a status)."""


class ConnectionError(CipherRunError, builtins.ConnectionError):
    """The server cannot be reached, or broke off."""


class WebSocketError(CipherRunError):
    """The stream of progress sent something that is no message of it."""


_BY_STATUS: Final[Mapping[int, type[_StatusError]]] = {
    kind.code: kind
    for kind in (
        BadRequestError,
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        ValidationError,
        RateLimitError,
        InternalServerError,
        ServiceUnavailableError,
    )
}


def handle_http_error(
    status_code: int, error_data: Mapping[str, object] | str | None, retry_after: float | None = None
) -> CipherRunError:
    """Return the exception for an answer, to be raised.

    Args:
        status_code: of the answer.
        error_data: its body: what the JSON says, or text, or nothing.
        retry_after: seconds, as a header said; it counts more than the body.
    """
    message, details = _said(error_data)
    if status_code == 429:
        return RateLimitError(message, _seconds(retry_after, error_data), details)
    if status_code == 408:
        return TimeoutError(message or "Request timeout", 408, details)
    kind = _BY_STATUS.get(status_code)
    if kind is None:
        return APIError(message or f"The server answered {status_code}", status_code, details)
    return kind(message, details)


def _said(data: Mapping[str, object] | str | None) -> tuple[str | None, object]:
    """Return the message and the details of a body: of an API error, of the rate limiter, or plain text."""
    if not isinstance(data, Mapping):
        return _printable(data or "") or None, None
    message = data.get("message") or data.get("error")
    return _printable(message) if isinstance(message, str) else None, data.get("details")


def _printable(text: str) -> str:
    """Keep a gateway's page of HTML, or control characters for a terminal, out of messages."""
    text = " ".join(text[:_LONGEST_MESSAGE].split())
    return "".join(character for character in text if character.isprintable())


_LONGEST_MESSAGE: Final = 500


def _seconds(header: float | None, data: Mapping[str, object] | str | None) -> float | None:
    if header is not None:
        return header
    body = data.get("retry_after") if isinstance(data, Mapping) else None
    return max(float(body), 0.0) if isinstance(body, (int, float)) else None
