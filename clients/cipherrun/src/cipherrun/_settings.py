"""What both clients are told, and what they tell cycletls."""

from __future__ import annotations

from typing import Any, Final

from ._version import __version__
from .exceptions import ValidationError

BASE_URL: Final = "http://localhost:8080"
TIMEOUT: Final = 30.0
MAX_RETRIES: Final = 3
RETRY_BACKOFF: Final = 2.0


def session_options(api_key: str | None, agent: str) -> dict[str, Any]:
    """Return the options of a session of cycletls: no browser, and a key that no redirect takes elsewhere.

    Raises:
        ValidationError: the key cannot stand in a header; the message does not repeat it.
    """
    headers = {"User-Agent": f"{agent}/{__version__}", "Accept": "application/json"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()):
            raise ValidationError("an API key is printable ASCII", status_code=None)
        headers["X-API-Key"] = api_key
    return {"profile": "plain", "headers": headers, "allow_redirects": False, "timeout": None}
