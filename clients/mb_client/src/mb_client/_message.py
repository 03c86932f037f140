"""A whole message, without I/O: a header's line, a line feed, and a payload that is JSON as a rule.

The broker relays any text. What is not JSON is therefore read as the text that it is; what is JSON but would hurt the
reader (nested too deep, numbers of thousands of digits) is refused. Of two keys that are the same the last one holds,
as it does for the broker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, NoReturn

from ._exceptions import ERRORS, BrokerError, InvalidMessage, MalformedMessage
from ._header import MAX_HEADER, MessageHeader, format_header, parse_header, shown

MAX_PAYLOAD: Final = 16_384
"""Bytes of a payload that the broker itself reads. What it relays is bound as a whole, to these and `MAX_HEADER`."""

MAX_DEPTH: Final = 64
"""Arrays and objects inside one another."""

SYSTEM: Final = "system."
"""How the topics begin that the broker itself answers; in lower case only."""

_ERROR_PREFIX: Final = "error:"


class _NotJSON(ValueError):
    """A word that Python's decoder takes and JSON does not have."""


def _refuse_constant(word: str) -> NoReturn:
    raise _NotJSON(word)


_encode = json.JSONEncoder(allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def create_message(header: MessageHeader, payload: Any, *, max_payload: int = MAX_PAYLOAD) -> str:
    """Return the text of a message.

    Args:
        header: what it is about.
        payload: what can be written as JSON: a dict as a rule.
        max_payload: bytes of a payload that the broker reads, where it was told another number.

    Raises:
        InvalidMessage: the broker would not take it.
    """
    line = format_header(header)
    try:
        text = _encode(payload)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidMessage(f"a payload that cannot be written as JSON: {exc}") from exc
    allowed = max_payload if header.topic.startswith(SYSTEM) else max_payload + MAX_HEADER - len(line)
    if len(text) > allowed:  # in bytes: all but ASCII is escaped
        raise InvalidMessage(f"a payload of {len(text)} bytes for {header.topic}: {allowed} are allowed")
    return f"{line}\n{text}"


def parse_message(message: str | bytes) -> tuple[MessageHeader, Any]:
    """Read a message.

    Args:
        message: its text, or that in UTF-8.

    Returns:
        its header, and its payload: decoded where that is JSON, else a text. An error in either of the forms that
        brokers and services use is a dict with the key ``error``.

    Raises:
        MalformedMessage: it is not a message.
    """
    line, feed, text = (message if isinstance(message, str) else decode_text(message)).partition("\n")
    if not feed:
        raise MalformedMessage(f"a message without a line feed: {shown(line)}")
    return parse_header(line), _parse_payload(text)


def decode_text(message: bytes) -> str:
    """Return a message's text.

    Raises:
        MalformedMessage: it is not UTF-8.
    """
    try:
        return message.decode()
    except UnicodeDecodeError as exc:
        raise MalformedMessage(f"a message that is not UTF-8: {exc.reason} at byte {exc.start}") from exc


def _parse_payload(text: str) -> Any:
    if text.startswith(_ERROR_PREFIX):
        error = _parse_json(text.removeprefix(_ERROR_PREFIX))
        return {"error": error} if isinstance(error, dict) else text
    return _parse_json(text)


def _parse_json(text: str) -> Any:
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise MalformedMessage(f"a payload of more than {MAX_DEPTH} arrays and objects inside one another")
    try:
        return _decode(text)
    except (json.JSONDecodeError, _NotJSON):
        return text
    except ValueError as exc:
        raise MalformedMessage(f"a payload with a number that is too long: {exc}") from exc


def _depth(text: str) -> int:
    """Count how deep a text nests, without recursion; brackets within strings do not count."""
    deepest = depth = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def error_of(payload: Any) -> BrokerError | None:
    """Return the error that a payload is, if it is one."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict) or not isinstance(code := error.get("code"), str):
        return None
    message, timestamp, details = error.get("message", ""), error.get("timestamp"), error.get("details")
    return ERRORS.get(code, BrokerError)(
        code,
        message if isinstance(message, str) else _encode(message),
        timestamp=timestamp if isinstance(timestamp, str) else None,
        details=details if isinstance(details, dict) else None,
    )


def error_payload(error: BaseException) -> Mapping[str, Any]:
    """Return the payload that answers with an error, in the broker's form."""
    if not isinstance(error, BrokerError):
        error = BrokerError("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields: dict[str, Any] = {"code": error.code, "message": error.message, "timestamp": error.timestamp or now}
    if error.details:
        fields["details"] = error.details
    return {"error": fields}
