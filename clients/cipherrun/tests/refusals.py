"""What the stand-in refuses, and in which of the real server's three shapes."""

from __future__ import annotations

import ipaddress
import json
import re
import time
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

MAX_BODY = 1024 * 1024
PHASES = (
    "test_protocols",
    "test_ciphers",
    "test_vulnerabilities",
    "analyze_certificates",
    "test_http_headers",
    "client_simulation",
    "full_scan",
)
STARTTLS_PORTS = {"smtp": 25, "imap": 143, "xmpp-server": 5269}


class ApiError(Exception):
    """What a handler refuses with."""

    def __init__(self, status: int, code: str, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        body = {"status": status, "error": code, "message": message}
        self.body = {**body, "details": details} if details else body


class Rejection(Exception):
    """What is refused before there is a handler: plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def bad(message: str, details: str | None = None) -> ApiError:
    """A bad request."""
    return ApiError(400, "BAD_REQUEST", f"Bad request: {message}", details)


def missing(what: str) -> ApiError:
    """Something that is not there."""
    return ApiError(404, "NOT_FOUND", f"Not found: {what} not found")


def unavailable(what: str) -> ApiError:
    """Something that cannot be had."""
    return ApiError(503, "SERVICE_UNAVAILABLE", f"Service unavailable: {what}")


def unavailable_answer(what: str) -> Response:
    """The answer to what cannot be had."""
    return api_error(unavailable(what))


def rate_limited(limit: int, wait: int) -> Response:
    """The rate limiter's answer, which has a shape of its own."""
    body = {"error": "Rate limit exceeded", "limit": limit, "window_seconds": 60, "retry_after": wait}
    headers = {
        "Retry-After": str(wait),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time()) + wait),
    }
    return JSONResponse(body, 429, headers)


def api_error(error: ApiError) -> Response:
    """An API error as an answer."""
    return JSONResponse(error.body, error.status)


async def answer_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return api_error(error)


async def answer_rejection(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejection)
    return PlainTextResponse(str(error), error.status)


async def answer_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=getattr(error, "status_code", 404))


async def json_body(request: Request, **required: type) -> dict[str, Any]:
    """The body of a request, refused in plain text where it is none."""
    content = await request.body()
    if len(content) > MAX_BODY:
        raise Rejection(413, "Failed to buffer the request body: length limit exceeded")
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Rejection(415, "Expected request with `Content-Type: application/json`")
    try:
        body = json.loads(content)
    except ValueError:
        raise Rejection(400, "Failed to parse the request body as JSON") from None
    for name, kind in required.items():
        if not isinstance(body, dict) or not isinstance(body.get(name), kind):
            raise Rejection(422, f"Failed to deserialize the JSON body into the target type: missing field `{name}`")
    return dict(body)


def number(query: QueryParams, name: str, default: int) -> int:
    """A number of the query, refused in plain text where it is none."""
    try:
        return int(query.get(name, default))
    except ValueError:
        raise Rejection(400, f"Failed to deserialize query string: {name}: invalid digit found in string") from None


def canonical(target: str, options: dict[str, Any] | None) -> str:
    """A target as ``host:port``."""
    if not target or "://" in target or "/" in target or " " in target:
        raise bad(f"invalid target {target!r}")
    default = STARTTLS_PORTS.get((options or {}).get("starttls_protocol") or "", 443)
    try:
        ipaddress.IPv6Address(target)
    except ValueError:
        return target if re.search(r":\d+$", target) else f"{target}:{default}"
    return f"[{target}]:{default}"


def check_options(options: dict[str, Any] | None) -> None:
    """Refuse options that no scan can have."""
    if options is None:
        return
    if not any(options.get(phase) for phase in PHASES):
        raise bad("Scan options must enable at least one scan phase")
    if options.get("timeout_seconds") == 0:
        raise bad("timeout_seconds must be greater than 0")
    if options.get("ipv4_only") and options.get("ipv6_only"):
        raise bad("ipv4_only and ipv6_only are mutually exclusive")
    if options.get("ip") and not is_public(options["ip"]):
        raise bad("ip must be a public address")


def check_webhook(url: str | None) -> None:
    """Refuse a webhook that leads inside."""
    host = re.sub(r"^\w+://|[:/].*$", "", url or "")
    if host and (host == "localhost" or not is_public(host, unknown=True)):
        raise bad("webhook_url must not point to a private host")


def is_public(address: str, unknown: bool = False) -> bool:
    """Whether an address is one of the open internet."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return unknown
