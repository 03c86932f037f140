"""What this client sends as a profile, seen by a capture server and made a profile again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ._capture import CaptureServer, implied_profile
from ._facets import REDIRECTED
from ._session import CycleTLS

if TYPE_CHECKING:
    from ._models import Profile, Row

KINDS: Final = ("navigate", "fetch", "xhr", "image")
"""Kinds of requests that are sent; the opening of a WebSocket is not one of them."""

VISITS: Final = 3
"""Connections in each protocol: a first one, then resumed ones, and enough to see that an order is drawn."""

REDIRECTS: Final = {"/pages/moved": "fetch", "/pages/turn": "navigate", "/pages/form": "navigate"}
"""Pages that lead to another one, with the kind of request that they are for."""

UPLOAD: Final = bytes(100_000)
"""More than a frame of HTTP/2 takes."""


def speaks_http2(profile: Profile) -> bool:
    """Return whether a profile offers HTTP/2."""
    return any("h2" in (extension.protocols or ()) for extension in profile.tls.extensions if extension.type == "alpn")


def replay(profile: Profile) -> Profile:
    """Send every kind of request over each protocol that a profile offers, and return the profile that this implies.

    Connections are resumed where the profile does that; what :func:`was_shown` excludes is not sent.
    """
    protocols = ("h2", "http/1.1") if speaks_http2(profile) else ("http/1.1",)
    documents = [_visit(profile, protocol) for protocol in protocols]
    implied = implied_profile(documents, profile.name)
    extensions = list(implied.tls.extensions)
    if not any(map(_resumed, documents)):  # it is implied where nobody knows whether a client would; this one did not
        extensions = [extension for extension in extensions if extension.type != "pre_shared_key"]
    types = {extension.type for extension in extensions}
    for place, extension in enumerate(profile.tls.extensions):
        if extension.type == "padding" and not extension.always and "padding" not in types:
            extensions.insert(place, extension)  # the length of a hello decides on it, which is partly drawn
    return implied.model_copy(update={"tls": implied.tls.model_copy(update={"extensions": tuple(extensions)})})


def was_shown(profile: Profile, facet: str) -> bool:
    """Return whether a replay of a profile shows a facet.

    No WebSocket is opened, no proxy is asked; redirects show what the profile
    has of them; and without a place for content-length, the profile does not
    say how bodies are sent.
    """
    protocols = ("h2", "http/1.1")
    hidden = ["http/1.1.connect", "tls.websocket", *[f"{protocol}.websocket" for protocol in protocols]]
    for kind in (*KINDS, "websocket"):
        if f"{kind}{REDIRECTED}" not in profile.headers:  # then redirects show the kind's once more, and only in part
            hidden += [f"{protocol}.{kind}{REDIRECTED}" for protocol in protocols]
    if not speaks_http2(profile):
        hidden += ["h2", "notation.akamai"]
    if not _takes_bodies(profile.explicit().headers["fetch"]):
        hidden += ["h2.data_size", "http/1.1.joined_body"]
    return not any(facet == part or facet.startswith(f"{part}.") for part in hidden)


def _visit(profile: Profile, protocol: str) -> str:
    """Send all requests to a server of one protocol, and return what it saw."""
    full = profile.explicit()
    layouts = full.headers if protocol == "h2" else full.http1.headers
    with (
        CaptureServer(protocols=[protocol]) as server,
        CycleTLS(profile=profile, verify=server.ca_file) as session,
    ):
        for _ in range(VISITS):
            for kind in KINDS:
                page = f"{server.url}/pages/{kind}"
                session.get(page, kind=kind)
                _send_all(session, page, kind, layouts[kind], server)
            if _takes_bodies(layouts["fetch"]):
                session.post(f"{server.url}/pages/upload", kind="fetch", data=UPLOAD)
            for path, kind in REDIRECTS.items():  # the last one ends the connection
                session.get(f"{server.url}{path}", kind=kind)
                _send_all(session, f"{server.url}{path}", kind, layouts.get(f"{kind}{REDIRECTED}", ()), server)
        return server.document()


def _send_all(session: CycleTLS, page: str, kind: str, layout: tuple[Row, ...], server: CaptureServer) -> None:
    """Send a request that has a field in each place of a layout, in its spelling."""
    values = {
        "cache-control": "max-age=0",
        "content-type": "text/plain",
        "origin": server.url,
        "referer": server.start_page,
        "*": "1",
    }
    places = {row.lower(): row for row in layout if isinstance(row, str)}
    headers = [("X-Capture" if name == "*" else places[name], values[name]) for name in values if name in places]
    method, body = ("POST", b"body") if _takes_bodies(layout) else ("GET", None)
    cookies = {"visit": "1"} if "cookie" in places else {}
    session.request(method, page, kind=kind, data=body, headers=headers, cookies=cookies)


def _takes_bodies(layout: tuple[Row, ...]) -> bool:
    return any(isinstance(row, str) and row.lower() == "content-length" for row in layout)


def _resumed(document: str) -> bool:
    return any((connection.get("tls") or {}).get("resumed") for connection in json.loads(document)["connections"])
