"""Which proxies a session uses, by its options and by the environment; and what reaches them on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from servers import Peer, Script, ScriptedServer
from sockets import address, echo, served

import cycletls
from cycletls import AsyncCycleTLS, CycleTLS, InvalidOption, ProxyError, Timeouts
from cycletls._envelope import session_message
from cycletls._options import Options, resolve
from cycletls._proxies import Proxies, parse_proxies, proxies_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"


def port_of(url: str) -> int:
    """The port of a server's address."""
    return int(url.rpartition(":")[2])


def forwarding(seen: list[bytes]) -> Script:
    """Answer requests as a proxy would, and keep their heads."""

    def script(peer: Peer) -> None:
        while head := peer.read_head():
            seen.append(head)
            peer.send(OK)

    return script


def tunnelling(seen: list[bytes], origin: str) -> Script:
    """Lead on to an origin, and keep the head that asked for it."""

    def script(peer: Peer) -> None:
        seen.append(peer.read_head())
        peer.send(ESTABLISHED)
        peer.relay(port_of(origin))

    return script


def answering(data: bytes) -> Script:
    """Answer whatever is asked with these bytes."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(data)
        peer.read_all()

    return script


def rules(**said: Any) -> list[tuple[str, str]]:
    """What options come to: which URLs, which proxy."""
    return [(match, url) for match, url, _ in proxies_of(Options(resolve(said, frozenset()))).rules]


def test_every_form_of_proxies_is_understood() -> None:
    """A URL for all, requests' and httpx's mappings; None and an empty mapping say nothing, "" says none."""
    assert rules(proxy="socks5h://h") == [("all", "socks5h://h")]
    assert rules(proxies={"http": "http://a", "https": "b:1", "ftp": "c"}) == [("http", "http://a"), ("https", "b:1")]
    assert rules(proxies={"all://": "http://a", "https://h": None}) == [("all://", "http://a"), ("https://h", "")]
    assert parse_proxies({"http": "a", "no_proxy": "h,i"}) == Proxies((("http", "a", "proxies['http']"),), "h,i")
    assert parse_proxies(None) is parse_proxies({}) is None
    assert parse_proxies("") == Proxies()


def test_the_environment_is_asked_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower case counts more; what is said, "" too, takes its place; trust_env=False does not ask."""
    for name, value in {"HTTP_PROXY": "upper", "http_proxy": "lower", "ALL_PROXY": "any", "NO_PROXY": "a,b"}.items():
        monkeypatch.setenv(name, value)
    assert rules() == rules(proxy=None) == [("http", "lower"), ("all", "any")]
    assert session_message(Options({}), (), 0, False)["noProxy"] == "a,b"
    assert rules(trust_env=False) == rules(proxy="") == []
    assert rules(proxies={"https": "said"}) == [("https", "said")]


def test_http_proxy_in_a_cgi_script_is_a_request_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can set it there (CVE-2016-5386); the other names, and lower case, are the server's."""
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    monkeypatch.setenv("HTTP_PROXY", "http://evil")
    monkeypatch.setenv("HTTPS_PROXY", "http://good")
    assert rules() == [("https", "http://good")]
    monkeypatch.setenv("http_proxy", "http://good")
    assert rules() == [("http", "http://good"), ("https", "http://good")]


def test_a_faulty_proxy_names_its_option_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it was said."""
    monkeypatch.setenv("HTTPS_PROXY", "http://u:secret@h:x")
    said: dict[str, dict[str, Any]] = {
        "HTTPS_PROXY: ": {},
        "proxy: ": {"proxy": "htp://u:secret@h"},
        "proxies['http']: ": {"proxies": {"http": "http://u:secret@"}},
        "proxies['htp']: ": {"proxies": {"htp": "http://u:secret@h"}},
    }
    for name, options in said.items():
        with CycleTLS(**options) as session, pytest.raises(InvalidOption) as caught:
            session.get("https://127.0.0.1:1/")
        assert name in str(caught.value)
        assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse_proxies("http://u:secret@h"))


def test_plain_requests_are_forwarded(scripted: type[ScriptedServer]) -> None:
    """The whole URL, the proxy's credentials, and one connection for all origins; each browser's own Connection."""
    seen: list[bytes] = []
    with scripted(forwarding(seen)) as server:
        proxy = server.url.replace("//", "//us%65r:p%40ss@")
        with CycleTLS(proxy=proxy) as session:
            assert session.get("http://origin.test/a?b=c#d").text == "ok"
            assert session.get("http://other.test:81/", profile="firefox").text == "ok"
            assert session.get("http://[::1]:8/", params={"q": "1"}).connection.reused
        assert server.connections == 2
    assert seen[0].startswith(
        b"GET http://origin.test/a?b=c HTTP/1.1\r\nHost: origin.test\r\nProxy-Connection: keep-alive\r\n"
        b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"
    )
    assert seen[1].startswith(b"GET http://other.test:81/ HTTP/1.1\r\nHost: other.test:81\r\nUser-Agent: Mozilla/5.0")
    assert b"\r\nConnection: keep-alive\r\n" in seen[1]
    assert seen[2].startswith(b"GET http://[::1]:8/?q=1 HTTP/1.1\r\nHost: [::1]:8\r\n")


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        (
            "chrome",
            b"Host: %b\r\nProxy-Connection: keep-alive\r\nUser-Agent: me\r\nProxy-Authorization: Basic dTpw\r\n",
        ),
        (
            "firefox",
            (
                b"User-Agent: me\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive\r\nHost: %b\r\n"
                b"Proxy-Authorization: Basic dTpw\r\n"
            ),
        ),
    ],
)
def test_connect_looks_as_the_browsers(
    profile: str, fields: bytes, scripted: type[ScriptedServer], echo_tls: str, ca_file: str
) -> None:
    """Field for field; the origin behind it sees HTTP/2, and none of the credentials for the proxy."""
    seen: list[bytes] = []
    with scripted(tunnelling(seen, echo_tls)) as server:
        options: Any = {"profile": profile, "verify": ca_file, "user_agent": "me"}
        with CycleTLS(proxy=server.url.replace("//", "//u:p@"), **options) as session:
            response = session.get(echo_tls)
            assert response.http_version == "HTTP/2"
            assert "proxy-authorization" not in response.text.lower()
            assert session.get(echo_tls).connection.reused
        with CycleTLS(proxy=server.url, headers={"Proxy-Authorization": "Bearer x"}, **options) as session:
            assert "bearer" not in session.get(echo_tls).text.lower()
    authority = b"localhost:%d" % port_of(echo_tls)
    assert seen[0] == b"CONNECT %b HTTP/1.1\r\n" % authority + fields % authority + b"\r\n"
    assert b"\r\nProxy-Authorization: Bearer x\r\n" in seen[1]


def test_each_request_says_its_own_proxy(scripted: type[ScriptedServer], echo: str) -> None:
    """Over the session's, for that request alone; the cookies are the session's all the same."""
    one: list[bytes] = []
    other: list[bytes] = []
    with (
        scripted(forwarding(one)) as first,
        scripted(forwarding(other)) as second,
        CycleTLS(proxy=first.url) as session,
    ):
        session.cookies["a"] = "b"
        session.get("http://x.test/")
        session.get("http://x.test/", proxy=second.url)
        session.get("http://x.test/", proxies={"all": second.url})
        assert session.get(echo, proxy="").connection.remote_address.endswith(f":{port_of(echo)}")
        session.get("http://x.test/")
    assert (len(one), len(other)) == (2, 2)
    assert all(b"\r\nCookie: a=b\r\n" in head for head in one + other)


def test_each_hop_decides_anew(scripted: type[ScriptedServer], echo: str) -> None:
    """A redirect to what NO_PROXY names goes directly, and does not carry what was for the proxy."""

    def redirecting(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b/x\r\n\r\n" % echo.encode())
        peer.read_all()

    for hooked in ({}, {"hooks": {"response": print}}):
        with scripted(redirecting) as server:
            proxies = {"http": server.url.replace("//", "//u:p@"), "no_proxy": "10.0.0.0/8, localhost"}
            options: Any = {"headers": {"Proxy-Authorization": "mine"}, **hooked}
            response = cycletls.get("http://origin.test/", proxies=proxies, **options)
            assert response.connection.remote_address.endswith(f":{port_of(echo)}")
            assert "proxy-" not in response.text.lower()
            assert server.connections == 1


def test_a_redirect_of_a_proxys_connect_is_a_refusal(scripted: type[ScriptedServer]) -> None:
    """Nobody has verified who sent it, so it is neither followed nor taken for the origin's reply."""
    found = b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n"
    with scripted(answering(found)) as server, pytest.raises(ProxyError, match=r"answered CONNECT .* with 302 Found"):
        cycletls.get("https://origin.test/", proxy=server.url)


WRONG: dict[str, bytes] = {
    "407": REFUSED,
    "a body of 10 MB": b"HTTP/1.1 503 Busy\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000,
    "interim replies without end": b"HTTP/1.1 103 Hints\r\n\r\n" * 10_000,
    "a head without end": b"HTTP/1.1 200 OK\r\nA: " + b"b" * (1 << 20),
    "early bytes": ESTABLISHED + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("scheme", ["http", "socks4a", "socks5h"])
def test_a_proxy_that_does_not_lead_on_is_one_error(
    what: str, scheme: str, scripted: type[ScriptedServer], httpbin_tls: str, ca_file: str
) -> None:
    """Bounded, about the proxy, without credentials; asked once, and never gone around."""

    def hanging_up(peer: Peer) -> None:
        peer.read_head() if scheme == "http" else peer.read_exactly(4)
        peer.send(WRONG[what])

    with scripted(hanging_up) as server:
        address = server.url.partition("//")[2]
        userinfo = "secret@" if scheme == "socks4a" else "u:secret@"
        with pytest.raises(ProxyError) as caught:
            cycletls.get(f"{httpbin_tls}/get", proxy=f"{scheme}://{userinfo}{address}", verify=ca_file)
        assert server.connections == 1
    assert caught.value.detail["proxy"] == f"{scheme}://{address}"
    assert caught.value.detail.get("status") == {("407", "http"): "407", ("a body of 10 MB", "http"): "503"}.get(
        (what, scheme)
    )
    assert "secret" not in str(caught.value)


def test_a_silent_proxy_meets_the_limit_for_connecting(scripted: type[ScriptedServer]) -> None:
    """Whatever it speaks."""

    def silent(peer: Peer) -> None:
        peer.read_all()

    with scripted(silent) as server:
        for scheme in ("http", "https", "socks4a", "socks5h"):
            proxy = server.url.replace("http", scheme, 1)
            with pytest.raises(cycletls.ConnectTimeout):
                cycletls.get("https://origin.test/", proxy=proxy, timeout=Timeouts(30, connect=0.1))


def test_the_certificate_of_an_https_proxy_is_verified(scripted_tls: Any, echo_tls: str, ca_file: str) -> None:
    """As that of an origin: by default, and with the same roots."""
    seen: list[bytes] = []
    with scripted_tls(tunnelling(seen, echo_tls)) as server:
        with pytest.raises(ProxyError, match="certificate of localhost"):
            cycletls.get(echo_tls, proxy=server.url)
        assert not seen
        assert cycletls.get(echo_tls, proxy=server.url, verify=ca_file).http_version == "HTTP/2"
        assert cycletls.get(echo_tls, proxy=server.url, verify=False).http_version == "HTTP/2"
    assert len(seen) == 2


def test_socks_proxies_get_names_or_addresses(scripted: type[ScriptedServer], echo: str) -> None:
    """4a and 5h are given the name, which no one looks up here: .invalid has no address."""
    seen: dict[str, bytes] = {}

    def socks4a(peer: Peer) -> None:
        seen["socks4a"] = peer.read_exactly(9 + len("host.invalid") + 1)
        peer.send(b"\0\x5a" + bytes(6))
        peer.relay(port_of(echo))

    def socks5h(peer: Peer) -> None:
        peer.read_exactly(3)
        peer.send(b"\5\0")
        seen["socks5h"] = peer.read_exactly(5 + len("host.invalid") + 2)
        peer.send(b"\5\0\0\1" + bytes(6))
        peer.relay(port_of(echo))

    for script in (socks4a, socks5h):
        with scripted(script) as server:
            proxy = server.url.replace("http", script.__name__)
            assert cycletls.get("http://host.invalid/", proxy=proxy).status_code == 200
    assert seen["socks4a"] == b"\4\1\0\x50\0\0\0\1\0host.invalid\0"
    assert seen["socks5h"] == b"\5\1\0\3\x0chost.invalid\0\x50"
    with pytest.raises(cycletls.DNSError):
        cycletls.get("http://host.invalid/", proxy="socks5://127.0.0.1:1", timeout=20)


def test_a_forwarding_proxy_that_refuses_is_a_response(scripted: type[ScriptedServer]) -> None:
    """As in requests: of a plain request there is a reply to look at."""
    with scripted(answering(REFUSED)) as server:
        response = cycletls.get("http://origin.test/", proxy=server.url)
    assert (response.status_code, response.text) == (407, "no")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_websockets_go_through_a_tunnel(scripted: type[ScriptedServer], asynchronous: bool) -> None:
    """Of a proxy that forwards plain requests, too: it need not know WebSockets (RFC 6455 section 4.1)."""
    seen: list[bytes] = []

    async def main(proxy: str, url: str) -> None:
        async with AsyncCycleTLS(proxy=proxy) as session, session.websocket(url) as ws:
            await ws.send("x")
            assert await ws.recv(timeout=10) == "x"

    with served(echo) as server:
        url = address(server)
        with scripted(tunnelling(seen, url.rstrip("/"))) as proxy:
            if asynchronous:
                asyncio.run(main(proxy.url, url))
            else:
                with CycleTLS(proxy=proxy.url) as session, session.websocket(url) as ws:
                    ws.send("x")
                    assert ws.recv(timeout=10) == "x"
    assert seen[0].startswith(f"CONNECT localhost:{port_of(url.rstrip('/'))} HTTP/1.1\r\n".encode())


def test_events_are_forwarded(scripted: type[ScriptedServer]) -> None:
    """A stream of events is a plain request to the proxy, each time that it connects."""
    seen: list[bytes] = []

    def stream(peer: Peer) -> None:
        while head := peer.read_head():
            seen.append(head)
            if len(seen) == 1:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n")
            else:
                peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    with scripted(stream) as server, CycleTLS(proxy=server.url) as session:
        assert [event.data for event in session.events("http://origin.test/e", retry=0.01)] == ["a"]
    assert [head.split(b"\r\n")[0] for head in seen] == [b"GET http://origin.test/e HTTP/1.1"] * 2


def test_a_proxy_that_leads_nowhere_is_the_error(scripted: type[ScriptedServer]) -> None:
    """Of a WebSocket as of a request."""
    with scripted(answering(REFUSED)) as server, CycleTLS(proxy=server.url) as session, pytest.raises(ProxyError):
        session.websocket("ws://origin.test/")
