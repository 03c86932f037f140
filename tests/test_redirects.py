"""Redirects end to end: what is followed, what is kept, and what never crosses to another origin."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Peer, Script, ScriptedServer

import cycletls
from cycletls import CycleTLS, Request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOOKED: dict[str, Any] = {"hooks": {"response": lambda response: None}}  # makes Python follow, hop by hop
FOLLOWING = [pytest.param({}, id="core"), pytest.param(HOOKED, id="hooked")]
NOT: list[dict[str, Any]] = [{"allow_redirects": False}, {"follow_redirects": False}, {"disable_redirect": True}]


def redirect_to(url: str, status: int = 302, seen: list[bytes] | None = None) -> Script:
    """Redirect every request to a URL."""

    def script(peer: Peer) -> None:
        while head := peer.read_head():
            if seen is not None:
                seen.append(head)
            body = int(next((line[15:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0))
            peer.read_exactly(body)
            peer.send(b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, url.encode()))

    return script


def note(seen: list[bytes]) -> Script:
    """Answer every request and keep its head."""

    def script(peer: Peer) -> None:
        while head := peer.read_head():
            seen.append(head)
            peer.send(OK)

    return script


def test_redirects_are_followed_and_remembered(transport: str, ca_file: str) -> None:
    """First to last, whatever the kind of Location."""
    with CycleTLS(verify=ca_file) as session:
        for kind in ("redirect", "absolute-redirect"):
            response = session.get(f"{transport}/{kind}/3")
            assert response.url == f"{transport}/get"
            assert [hop.status_code for hop in response.history] == [302, 302, 302]
            assert response.history[0].url == f"{transport}/{kind}/3"


def test_redirects_are_not_followed_when_unwanted(httpbin: str) -> None:
    """By any of the three words; HEAD follows only when asked to, as in requests."""
    for option in NOT:
        response = cycletls.get(f"{httpbin}/redirect/1", **option)
        assert (response.status_code, response.is_redirect, response.history) == (302, True, [])
    assert cycletls.head(f"{httpbin}/redirect/1").status_code == 302
    assert cycletls.head(f"{httpbin}/redirect/1", allow_redirects=True).status_code == 200


def test_the_limit_of_redirects_holds(httpbin: str) -> None:
    """To the number, with and without somebody who looks at each hop."""
    for options in ({}, HOOKED):
        assert cycletls.get(f"{httpbin}/redirect/3", max_redirects=3, **options).ok
        with pytest.raises(cycletls.TooManyRedirects, match="max_redirects="):
            cycletls.get(f"{httpbin}/redirect/4", max_redirects=3, **options)
    with pytest.raises(cycletls.TooManyRedirects):
        cycletls.get(f"{httpbin}/redirect/1", max_redirects=0)


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
@pytest.mark.parametrize("hooked", [False, True])
def test_method_and_body_follow_the_status(httpbin: str, status: int, method: str, hooked: bool) -> None:
    """301 to 303 make a POST a GET without a body, 307 and 308 send it again, whoever follows."""
    hooks = HOOKED if hooked else {}
    target = f"{httpbin}/redirect-to?status_code={status}&url=/anything"
    for body in (b"again", io.BytesIO(b"again")):
        reply = cycletls.post(target, data=body, headers={"Content-Type": "text/x"}, **hooks).json()
        assert reply["method"] == method
        assert reply["data"] == ("again" if method == "POST" else "")
        assert reply["headers"].get("Content-Type", "") == ("text/x" if method == "POST" else "")


def test_a_generator_cannot_be_sent_again(httpbin: str) -> None:
    """Which is said, instead of an empty body being sent."""

    def generate() -> Iterator[bytes]:
        yield b"once"

    with pytest.raises(cycletls.UnrewindableBodyError):
        cycletls.post(f"{httpbin}/redirect-to?status_code=307&url=/anything", data=generate())


@pytest.mark.parametrize("hooked", [False, True])
def test_credentials_never_reach_another_origin(scripted: type[ScriptedServer], hooked: bool) -> None:
    """Another port is another origin: Authorization, Cookie and headers of the caller's own stay behind."""
    seen: list[bytes] = []
    hooks = HOOKED if hooked else {}
    with scripted(note(seen)) as target, scripted(redirect_to(target.url)) as first, CycleTLS() as session:
        session.get(
            first.url,
            auth=("user", "secret"),
            cookies={"session": "secret"},
            headers={"Cookie2": "secret", "Proxy-Authorization": "secret", "Authorization": "secret"}
            if hooked
            else {"Proxy-Authorization": "secret"},
            **hooks,
        )
    assert len(seen) == 1
    assert b"secret" not in seen[0].replace(b"Cookie2: secret", b"")
    assert b"Basic" not in seen[0]


def test_callable_auth_never_reaches_another_origin(scripted: type[ScriptedServer]) -> None:
    """Nor does it come back when the way leads home."""
    home_heads: list[bytes] = []
    asked: list[str] = []

    def auth(request: Request) -> None:
        asked.append(request.url)
        request.headers["Authorization"] = "secret"

    def home_script(peer: Peer) -> None:
        while head := peer.read_head():
            home_heads.append(head)
            if b"/back" in head:
                peer.send(OK)
            else:
                peer.send(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % away.url.encode())

    away_heads: list[bytes] = []
    with (
        scripted(home_script) as home,
        scripted(redirect_to(f"{home.url}/back", seen=away_heads)) as away,
        CycleTLS(auth=auth) as session,
    ):
        session.get(f"{home.url}/")
    assert len(asked) == 1
    assert b"secret" in home_heads[0]
    assert b"secret" not in away_heads[0] + home_heads[1]


@pytest.mark.parametrize("following", FOLLOWING)
def test_a_host_of_the_sessions_never_reaches_another_origin(
    scripted: type[ScriptedServer], following: dict[str, Any]
) -> None:
    """It names a site of the server that the session was made for."""
    seen: list[bytes] = []
    with (
        scripted(note(seen)) as target,
        scripted(redirect_to(target.url)) as first,
        CycleTLS(headers={"Host": "inner.example"}) as session,
    ):
        session.get(first.url, **following)
    assert f"\r\nHost: {target.url.removeprefix('http://')}\r\n".encode() in seen[0]


@pytest.mark.parametrize("following", FOLLOWING)
def test_a_request_stays_of_its_kind(httpbin: str, following: dict[str, Any]) -> None:
    """What a script asked for is not navigated to, although a redirect has made a GET of it."""
    reply = cycletls.post(f"{httpbin}/redirect-to?status_code=303&url=/anything", data=b"x", **following).json()
    assert reply["method"] == "GET"
    assert reply["headers"]["Accept"] == cycletls.get(f"{httpbin}/headers", kind="fetch").json()["headers"]["Accept"]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://h/", "data:,x", "javascript:alert(1)", "ftp://h/"]
)
@pytest.mark.parametrize("hooked", [False, True])
def test_other_schemes_are_refused(scripted: type[ScriptedServer], location: str, hooked: bool) -> None:
    """A server cannot send a client anywhere but to http and https."""
    hooks = HOOKED if hooked else {}
    with scripted(redirect_to(location)) as server, pytest.raises(cycletls.RedirectRefused):
        cycletls.get(server.url, **hooks)


def test_a_downgrade_is_refused_unless_allowed(httpbin: str, httpbin_tls: str, ca_file: str) -> None:
    """From https to http."""
    url = f"{httpbin_tls}/redirect-to?url={httpbin}/get"
    with CycleTLS(verify=ca_file) as session:
        with pytest.raises(cycletls.RedirectRefused):
            session.get(url)
        assert session.get(url, allow_downgrade=True).url == f"{httpbin}/get"


def test_cookies_set_on_the_way_are_sent_on(httpbin: str) -> None:
    """The jar works from hop to hop; the response tells of those it set itself."""
    with CycleTLS() as session:
        response = session.get(f"{httpbin}/cookies/set/a/1")
        assert response.json()["cookies"] == {"a": "1"}
        assert response.history[0].cookies["a"] == "1"
        assert "a" not in response.cookies


def test_the_total_limit_spans_all_hops(httpbin: str) -> None:
    """Also where Python follows hop by hop."""
    for options in ({}, HOOKED):
        with pytest.raises(cycletls.Timeout):
            cycletls.get(f"{httpbin}/redirect-to?url=/redirect-to?url=/delay/9", timeout=1, **options)


@pytest.mark.parametrize("following", FOLLOWING)
def test_cookies_of_a_call_live_as_long_as_the_call(httpbin_tls: str, ca_file: str, following: dict[str, Any]) -> None:
    """From hop to hop on one connection of the shared session, over the cookies of the defaults."""
    everywhere = cycletls.Cookie("mine", "2", "localhost", secure=True)
    cycletls.set_default(verify=ca_file, cookies=[everywhere])
    try:
        cycletls.get(f"{httpbin_tls}/get")
        response = cycletls.get(f"{httpbin_tls}/cookies/set/a/1", **following)
        assert response.json()["cookies"] == {"a": "1", "mine": "2"}
        assert response.connection.reused
        assert response.tls
        assert response.tls.peer_certificate
        assert cycletls.get(f"{httpbin_tls}/cookies", **following).json()["cookies"] == {"mine": "2"}
    finally:
        cycletls.reset_defaults()


@pytest.mark.parametrize("following", FOLLOWING)
def test_elapsed_spans_all_hops(httpbin: str, following: dict[str, Any]) -> None:
    """Like the limit of the total."""
    response = cycletls.get(f"{httpbin}/redirect-to?url=/redirect/1", **following)
    last, before = response.timings, response.history[-1].timings
    assert last.total >= before.total + last.wait
    assert response.elapsed.total_seconds() == pytest.approx(last.total, abs=1e-5)


def test_elapsed_ends_with_the_head(scripted: type[ScriptedServer]) -> None:
    """As in requests; how long the body took is not in it."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(OK[:-2])
        peer.drip(b"ok", 0.3)

    with scripted(script) as server:
        began = time.monotonic()
        response = cycletls.get(server.url)
    assert response.content == b"ok"
    assert response.elapsed.total_seconds() < time.monotonic() - began - 0.5
