"""What answers and failures mean: a model, or an exception."""

from __future__ import annotations

import email.utils
import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Final

import pydantic

import cycletls

from ._endpoints import Answer, Endpoint, shortened
from .exceptions import (
    APIError,
    CipherRunError,
    ConnectionError,
    TimeoutError,
    ValidationError,
    handle_http_error,
)


def parse_answer(endpoint: Endpoint[Answer], response: cycletls.Response) -> Answer:
    """Return what a good answer says.

    Raises:
        APIError: it is not what the endpoint answers; the exception's details are the body.
    """
    try:
        return endpoint.answer.model_validate_json(response.content)
    except pydantic.ValidationError as error:
        wanted = endpoint.answer.__name__
        raise APIError(f"the answer is no {wanted}: {shortened(error)}", response.status_code, response.text) from error


def error_of(response: cycletls.Response) -> CipherRunError:
    """Return the exception for an answer that is not a good one."""
    return handle_http_error(response.status_code, body_of(response), retry_after(response))


def body_of(response: cycletls.Response) -> Mapping[str, object] | str:
    """Return what the JSON of an error says, or its text."""
    try:
        data = json.loads(response.content)
    except (ValueError, RecursionError):
        return response.text
    return data if isinstance(data, dict) else response.text


def is_api_error(response: cycletls.Response) -> bool:
    """Report whether the server itself speaks, and not a gateway before it."""
    body = body_of(response)
    return isinstance(body, Mapping) and "error" in body


def retry_after(response: cycletls.Response) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or until a date (RFC 9110 section 10.2.3)."""
    asked = response.headers.get("Retry-After")
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        then = _date(asked)
        if then is None:
            return None
        # The server's own clock, where it shows it: this side's may be wrong.
        now = _date(response.headers.get("Date")) or datetime.now(timezone.utc)
        seconds = (then - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _date(text: str | None) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


_CALLERS_FAULT: Final = (
    cycletls.InvalidURL,
    cycletls.InvalidHeader,
    cycletls.InvalidMethod,
    cycletls.InvalidOption,
    cycletls.InvalidBody,
)


def failure_of(failure: cycletls.RequestException) -> CipherRunError:
    """Return the exception for a request that got no answer."""
    if isinstance(failure, cycletls.Timeout):
        return TimeoutError(str(failure))
    if isinstance(failure, _CALLERS_FAULT):
        return ValidationError(str(failure), status_code=None)
    return ConnectionError(str(failure))
