"""Messages as the broker reads and writes them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any, NamedTuple

MAX_PAYLOAD = 16_384
MAX_HEADER = 367
MAX_TIMEOUT = 3_600_000

TOPIC = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(\.[a-zA-Z][a-zA-Z0-9]*){0,4}", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SEMVER = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)


class Fault(Exception):
    """An error to answer with."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def payload(self) -> str:
        """Return it in the broker's form."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        error = {"code": self.code, "message": self.message, "timestamp": now}
        return json.dumps({"error": {**error, **({"details": self.details} if self.details else {})}})


class Message(NamedTuple):
    """A message that was understood; the payload is passed on as it came."""

    action: str
    topic: str
    version: str
    id: str
    parent: str
    timeout: int | None
    payload: str


def parse(text: str) -> Message:
    """Read a message, or raise the MALFORMED_MESSAGE that is answered without an id."""
    header, feed, payload = text.partition("\n")
    fields = header.split(":")
    if not feed or len(header) > MAX_HEADER or len(fields) < 3:
        raise Fault("MALFORMED_MESSAGE", "Invalid message format")
    action, topic, version = fields[0].lower(), fields[1], fields[2]
    identifier, parent, timeout = [*fields[3:6], "", "", ""][:3]
    if action not in ("publish", "request", "response"):
        raise Fault("MALFORMED_MESSAGE", f"Invalid action: {action}", action=action)
    if len(topic) > 255 or not TOPIC.fullmatch(topic):
        raise Fault("MALFORMED_MESSAGE", f"Invalid topic name: {topic}", topic=topic)
    if not SEMVER.fullmatch(version):
        raise Fault("MALFORMED_MESSAGE", f"Invalid version format: {version}", version=version)
    if identifier and not UUID.fullmatch(identifier):
        raise Fault("MALFORMED_MESSAGE", f"Invalid request ID format: {identifier}", requestId=identifier)
    if parent and not UUID.fullmatch(parent):
        raise Fault("MALFORMED_MESSAGE", f"Invalid parent request ID format: {parent}", parentRequestId=parent)
    milliseconds = _milliseconds(timeout) if timeout and action == "request" else None
    if topic.startswith("system.") and len(payload.encode()) > MAX_PAYLOAD:
        raise Fault("MALFORMED_MESSAGE", "Payload exceeds maximum length")
    return Message(action, topic, version, identifier, parent, milliseconds, payload)


def _milliseconds(text: str) -> int:
    digits = re.match(r"\d+", text)
    if not digits or not 0 < int(digits[0]) <= MAX_TIMEOUT:
        raise Fault("MALFORMED_MESSAGE", f"Invalid timeout value: {text}", timeout=text)
    return int(digits[0])


def compose(action: str, topic: str, version: str, identifier: str, payload: str) -> str:
    """Write a message."""
    return f"{action}:{topic}:{version}{':' + identifier if identifier else ''}\n{payload}"
