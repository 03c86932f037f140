"""Real browsers, where they are installed, against the profiles that were captured from them: `make browsers`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cycletls import CycleTLS, InvalidOption, Profile
from cycletls._browsers import Browser, capture_browser, find_browser, visit
from cycletls.testing import CaptureServer

KINDS = {"navigate", "fetch", "xhr", "image", "websocket", "navigate-redirected", "fetch-redirected"}


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each browser in turn."""
    try:
        return find_browser(request.param)
    except InvalidOption as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def captured(browser: Browser) -> Profile:
    """Its profile."""
    return capture_browser(browser.path)


def test_every_kind_of_request_is_captured(captured: Profile) -> None:
    """One visit shows them all, over both protocols."""
    assert captured.headers.keys() == KINDS
    assert captured.http1.headers.keys() == KINDS
    assert {extension.type for extension in captured.tls.extensions} >= {"pre_shared_key", "session_ticket", "alpn"}
    assert not [note for note in captured.source.notes if "HPACK" in note or "HTTP/2" in note]


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_replay_looks_like_the_browser(browser: Browser, captured: Profile, protocol: str) -> None:
    """JA4, HTTP/2's opening and the header names of a navigation."""
    theirs = first(browser, protocol)
    with (
        CaptureServer(protocols=[protocol]) as server,
        CycleTLS(profile=captured, verify=server.ca_file) as session,
    ):
        session.get(server.start_page, allow_redirects=False)
        ours = server.last
        assert ours.ja4 == theirs["tls"]["ja4"]
        assert ours.akamai == theirs.get("akamai", "")
        names = [name for name, _ in theirs["requests"][0]["fields"] if not name.startswith(":")]
        assert ours.header_names == names


def first(browser: Browser, protocol: str) -> dict[str, Any]:
    """The connection that carried the browser's first request."""
    log = json.loads(visit(browser, 60, protocols=[protocol]))
    return min(
        (connection for connection in log["connections"] if connection["requests"]),
        key=lambda connection: connection["requests"][0]["number"],
    )
