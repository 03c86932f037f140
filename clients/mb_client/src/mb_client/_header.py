"""The first line of a message, without I/O: what it may hold, how it is read and how it is written.

``{action}:{topic}:{version}[:{request id}[:{parent id}[:{timeout}]]]``: the fields have places, so that one that is
missing in the middle is left empty. The rules are those of the broker, which answers most of what breaks them without
an id, that is to nobody: so they hold here before anything is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ._exceptions import InvalidMessage, MalformedMessage

MAX_HEADER: Final = 367
"""Bytes of a header, without its line feed."""

MAX_TOPIC: Final = 255
MAX_TIMEOUT: Final = 3_600_000
"""Milliseconds: an hour."""

MAX_VERSION_NUMBER: Final = 2**53 - 1  # of JavaScript, in which the broker compares versions

ACTIONS: Final = ("publish", "request", "response")

_LEVEL: Final = "[a-zA-Z][a-zA-Z0-9]*"
_TOPIC: Final = re.compile(rf"{_LEVEL}(?:\.{_LEVEL}){{0,4}}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBER: Final = r"(0|[1-9][0-9]*)"
_PRERELEASE: Final = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION: Final = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-{_PRERELEASE}(?:\.{_PRERELEASE})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_LEADING_DIGITS: Final = re.compile(r"[0-9]+")


@dataclass(slots=True)
class MessageHeader:
    """What a message is about.

    Attributes:
        action: ``request``, ``response`` or ``publish``. Any case may be given; what arrives is in lower case.
        topic: one to five words of letters and digits, joined by dots. The broker compares them without regard to case.
        version: of the payload's format, as a semantic version such as ``1.0.0``.
        request_id: which request or publish this is or answers, as a UUID in lower case; None or empty for none.
        parent_id: which request made this one necessary. The broker keeps it to itself: it does not arrive.
        timeout: how long the broker waits for the answer to a request, in milliseconds; other messages are sent
            without it.
    """

    action: str
    topic: str
    version: str
    request_id: str | None
    parent_id: str | None = None
    timeout: int | None = None


def format_header(header: MessageHeader) -> str:
    """Return a header's line, without its line feed.

    Raises:
        InvalidMessage: a field is not one that the broker takes.
    """
    action = header.action.lower()
    fault = (
        action_fault(action)
        or topic_fault(header.topic)
        or version_fault(header.version)
        or (header.request_id and id_fault(header.request_id))
        or (header.parent_id and id_fault(header.parent_id))
        or (header.timeout is not None and timeout_fault(header.timeout))
    )
    if fault:
        raise InvalidMessage(fault)
    line = f"{action}:{header.topic}:{header.version}"
    timeout = header.timeout if action == "request" else None
    if timeout is not None:
        line += f":{header.request_id or ''}:{header.parent_id or ''}:{timeout}"
    elif header.parent_id:
        line += f":{header.request_id or ''}:{header.parent_id}"
    elif header.request_id:
        line += f":{header.request_id}"
    if len(line) > MAX_HEADER:  # every field is ASCII by now
        raise InvalidMessage(f"a header of {len(line)} bytes: {MAX_HEADER} are allowed")
    return line


def parse_header(line: str) -> MessageHeader:
    """Read a header's line as the broker does: actions in any case, more fields than six are passed over.

    Raises:
        MalformedMessage: it is not a header.
    """
    if len(line) > MAX_HEADER:
        raise MalformedMessage(f"a header of {len(line)} characters: {MAX_HEADER} are allowed")
    fields = line.split(":")
    if len(fields) < 3:
        raise MalformedMessage(f"a header of {len(fields)} fields, {shown(line)}: three are needed")
    action, topic, version = fields[0].lower(), fields[1], fields[2]
    request_id = fields[3] if len(fields) > 3 else ""
    parent_id = fields[4] if len(fields) > 4 else ""
    fault = (
        action_fault(action)
        or topic_fault(topic)
        or version_fault(version)
        or (request_id and id_fault(request_id))
        or (parent_id and id_fault(parent_id))
    )
    if fault:
        raise MalformedMessage(fault)
    timeout = _parse_timeout(fields[5]) if len(fields) > 5 and fields[5] and action == "request" else None
    return MessageHeader(action, topic, version, request_id or None, parent_id or None, timeout)


def _parse_timeout(text: str) -> int:
    digits = _LEADING_DIGITS.match(text)
    fault = timeout_fault(int(digits[0])) if digits else f"timeout {shown(text)}: not a number"
    if digits is None or fault:
        raise MalformedMessage(fault or "")
    return int(digits[0])


def action_fault(action: str) -> str | None:
    """Say what is wrong with an action in lower case."""
    return None if action in ACTIONS else f"action {shown(action)}: not one of {', '.join(ACTIONS)}"


def topic_fault(topic: str) -> str | None:
    """Say what is wrong with a topic."""
    if len(topic) > MAX_TOPIC:  # not to be remembered
        return f"topic {shown(topic)} of {len(topic)} characters: {MAX_TOPIC} are allowed"
    return _topic_fault(topic)


@lru_cache(maxsize=1024)
def _topic_fault(topic: str) -> str | None:
    if _TOPIC.fullmatch(topic):
        return None
    if "+" in topic or "#" in topic or "*" in topic:
        return f"topic {shown(topic)}: the broker takes no wildcards"
    return f"topic {shown(topic)}: not one to five words of letters and digits, joined by dots"


def version_fault(version: str) -> str | None:
    """Say what is wrong with a version."""
    if len(version) > MAX_HEADER:  # not to be remembered
        return f"version {shown(version)}: too long"
    return _version_fault(version)


@lru_cache(maxsize=1024)
def _version_fault(version: str) -> str | None:
    match = _VERSION.fullmatch(version)
    if match and all(int(number) <= MAX_VERSION_NUMBER for number in match.groups()):
        return None
    return f"version {shown(version)}: not a semantic version such as 1.0.0"


def id_fault(identifier: str) -> str | None:
    """Say what is wrong with a request's id."""
    return None if _ID.fullmatch(identifier) else f"id {shown(identifier)}: not a UUID in lower case"


def timeout_fault(timeout: int) -> str | None:
    """Say what is wrong with a number of milliseconds."""
    if type(timeout) is not int:  # a bool is none
        return f"timeout {timeout!r}: not a whole number of milliseconds"
    return None if 1 <= timeout <= MAX_TIMEOUT else f"timeout {timeout}: not from 1 to {MAX_TIMEOUT} milliseconds"


def shown(text: str) -> str:
    """Quote what came from elsewhere, short and without control characters."""
    return ascii(text if len(text) <= 60 else text[:60] + "…")
