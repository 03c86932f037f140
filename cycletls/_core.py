"""Speaking with the core: envelopes, the errors it answers with, questions that are not requests.

An envelope is the base64 of a msgpack map. What is in one, _envelope says.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

import msgpack  # type: ignore[import-untyped]  # it ships no types

from ._exceptions import ERRORS, InternalError, InvalidOption
from ._request import without_userinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from ._exceptions import RequestException
    from ._request import Request
    from ._transfer import Carrier

    Message: TypeAlias = dict[str, Any]

_pack = msgpack.Packer().pack
_pack_bytes = msgpack.Packer(unicode_errors="surrogateescape").pack


def pack(message: Mapping[str, Any]) -> bytes:
    """Return the envelope of a message.

    Raises:
        InvalidOption: it has text that no bytes stand for.
    """
    try:
        raw = _pack(message)
    except UnicodeEncodeError:  # a caller's bytes that are no text, kept as surrogates
        raw = _packed_bytes(message)
    return b2a_base64(raw, newline=False)


def _packed_bytes(message: Mapping[str, Any]) -> bytes:
    try:
        raw: bytes = _pack_bytes(message)
    except UnicodeEncodeError as exc:
        raise InvalidOption(f"text that is not Unicode cannot be sent: {exc}") from exc
    return raw


def unpack(envelope: bytes) -> Message:
    """Return the message of an envelope."""
    message: Message = msgpack.unpackb(a2b_base64(envelope))
    return message


def ask(carrier: Carrier, target: int, message: Message) -> Message:
    """Send a message that is not a request and return the answer; target 0 is the library.

    Raises:
        RequestException: the answer was an error.
    """
    answer = unpack(carrier.message(target, pack(message)))
    if answer["type"] == "error":
        raise failure(answer)
    return answer


def failure(message: Message, request: Request | None = None) -> RequestException:
    """Make the exception of an "error" message, without raising it."""
    detail = message.get("detail", {})
    kind = ERRORS.get(message["kind"], InternalError)
    if request is not None:
        request.method = detail.get("method", request.method)
        request.url = detail.get("url") or without_userinfo(request.url)
    text = message["message"]
    return kind(f"{text}\n{detail['stack']}" if "stack" in detail else text, request=request, detail=detail)
