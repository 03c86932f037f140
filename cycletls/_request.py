"""What a request looked like: for callables that authenticate, for responses and for exceptions."""

from __future__ import annotations

from ._exceptions import printable
from ._headers import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._headers import HeaderTypes


class Request:
    """A request as a callable ``auth`` may change it, or as it was sent.

    Attributes:
        method: e.g. ``"GET"``.
        url: the URL.
        headers: the caller's headers before sending; all that left, in wire order, after.
        body: the body where it is bytes; None where there is none or it is streamed.
    """

    __slots__ = ("body", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: HeaderTypes | None = None, body: bytes | None = None) -> None:
        self.method = method
        self.url = url
        self.headers = Headers(headers)
        self.body = body

    def __repr__(self) -> str:
        return f"<Request [{printable(self.method)}]>"


def without_userinfo(url: str) -> str:
    """Return a URL that may be shown: without user and password, also where it is malformed."""
    import re  # only where something failed

    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)?[/\\]*[^/?#\\]*@", r"\1//", url.strip())
