"""A browser on the pages of a capture server, and this client in its place on the same server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from cycletls import CycleTLS, CycleTLSError, Profile
from cycletls._browsers import LAST_PAGE, Browser
from cycletls._facets import Difference, Facet, differences
from cycletls._facets import facets as profile_facets
from cycletls.testing import CaptureServer, implied_profile

from . import wire

SCENES: Final[dict[str, dict[str, Any]]] = {
    "h2": {},
    "http/1.1": {"protocols": ("http/1.1",)},
    "retry": {"retry": True},
}
"""Servers: one as most are, one without HTTP/2, one that asks for another key (HelloRetryRequest)."""

OURS_TO_FILL: Final = ("host", "connection", "content-length", "cookie")
"""Fields that a request gets by what it is; all others that its kind does not always have, the caller gives."""


@dataclass
class Subject:
    """A browser, its profile, and by scene all facets with those that differ."""

    browser: Browser
    profile: Profile
    scenes: dict[str, tuple[list[Facet], list[Difference]]] = field(default_factory=dict)
    hellos: list[bytes] = field(default_factory=list)


def compare(browser: Browser) -> Subject:
    """Capture a browser in all scenes, make its profile, and replay each scene with it."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_visited(browser, options)) for name, options in SCENES.items()}
        documents = {name: server.document() for name, server in servers.items()}
        profile = implied_profile(list(documents.values()), "captured")
        subject = Subject(browser, profile)
        replayed = []
        for name, server in servers.items():
            theirs = json.loads(documents[name])["connections"]
            subject.hellos += [bytes.fromhex(seen["tls"]["hellos"][0]) for seen in theirs]
            ours = replay(profile, server, theirs)
            replayed.append(json.dumps({**json.loads(documents[name]), "connections": ours}))
            found = scene_facets(theirs, profile)
            subject.scenes[name] = found, differences(scene_facets(ours, profile), found)
    found = profile_facets(profile)
    again = implied_profile(replayed, "captured")
    subject.scenes["profile"] = found, differences(profile_facets(again), found)
    return subject


VISITS: Final = 5
"""How often a browser may use a connection that it had opened before it had a ticket, and so resume nothing."""


def _visited(browser: Browser, options: dict[str, Any]) -> CaptureServer:
    """Return a server that a browser has visited, first anew and then resuming."""
    for _ in range(VISITS):
        server = CaptureServer(**options)
        with browser.opened(server.start_page, server):
            requests = server.wait(target=LAST_PAGE, timeout=60)
        if requests[-1].resumed:
            return server
        server.close()
    raise TimeoutError(f"{browser.name} resumed no connection in {VISITS} visits")


REDIRECTS: Final = ("/pages/start", "/pages/moved", "/pages/form", "/pages/turn")
"""Pages that lead to another one, which is the request after theirs."""

AFTER: Final = "/pages/navigate?after=all"


def replay(profile: Profile, server: CaptureServer, theirs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send what a browser has sent, in its order, and return the connections that this made."""
    with CycleTLS(profile=profile, verify=server.ca_file) as session:
        followed = False
        for request in _in_order(theirs):
            if not followed:
                _send(session, profile, server, request)
            followed = not followed and request["target"] in REDIRECTS
        # Once this is answered, the server has read all that came before it.
        session.get(server.url + AFTER)
    ours = server.connections[len(theirs) :]
    return [{**seen, "requests": [one for one in seen["requests"] if one["target"] != AFTER]} for seen in ours]


def _send(session: CycleTLS, profile: Profile, server: CaptureServer, request: dict[str, Any]) -> None:
    options = _options(profile, server, request)
    if request["kind"] != "websocket":
        session.request(**options)
        return
    with suppress(CycleTLSError):  # what follows 101 Switching Protocols is no response
        session.request(**options, timeout=2)


def _options(profile: Profile, server: CaptureServer, request: dict[str, Any]) -> dict[str, Any]:
    """What a caller says to get such a request: what its kind does not send by itself."""
    content = bytes.fromhex(request["body"]["content"]).ljust(request["body"]["length"], b"\0")
    options: dict[str, Any] = {
        "method": request["method"],
        "url": server.url + request["target"],
        "kind": request["kind"],
        "headers": _said(profile, request),
    }
    return {**options, "data": content} if content else options


def _said(profile: Profile, request: dict[str, Any]) -> dict[str, str | None]:
    always = dict(row for row in profile.headers[request["kind"]] if not isinstance(row, str))
    named = {name.lower(): (name, value) for name, value in request["fields"] if not name.startswith(":")}
    said: dict[str, str | None] = {
        name: value for key, (name, value) in named.items() if key not in OURS_TO_FILL and always.get(key) != value
    }
    return said | {name: None for name in always if name not in named and name not in ("te", "priority")}


def _in_order(connections: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    requests = [request for seen in connections for request in seen["requests"] or ()]
    return sorted(requests, key=lambda request: int(request["number"]))


def scene_facets(connections: Sequence[dict[str, Any]], profile: Profile) -> list[Facet]:
    """Return the facets of all connections and requests of a scene, each named after what it was for."""
    shuffled = profile.tls.extension_order == "shuffle"
    used = [seen for seen in connections if seen["requests"]]
    used.sort(key=lambda seen: int(seen["requests"][0]["number"]))
    found = [Facet("connections that carried no request", str(len(connections) - len(used)))]
    numbers = {request["number"]: at for at, request in enumerate(_in_order(connections), 1)}
    for seen in used:
        found += wire.connection_facets(_purpose(seen), seen, shuffled)
        for request in seen["requests"]:
            path = request["target"].removeprefix("/pages/").partition("?")[0]
            prefix = f"request {numbers[request['number']]} {request['kind']} {request['method']} {path}:"
            found += wire.request_facets(prefix, request, seen)
    return found


def _purpose(seen: dict[str, Any]) -> str:
    if seen["requests"][0]["kind"] == "websocket":
        return "WebSocket connection:"
    return "first connection:" if seen["requests"][0]["target"] == "/pages/start" else "resumed connection:"
