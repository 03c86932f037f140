"""Sessions: requests over every transport, what they share, how they end."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from servers import Peer, ScriptedServer

import cycletls
from cycletls import CycleTLS
from cycletls._client import _url

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer_all(peer: Peer) -> None:
    """Answer requests without a body until the client hangs up."""
    while peer.read_head():
        peer.send(OK)


@pytest.fixture
def session(ca_file: str) -> Any:
    """A session that trusts the test authority."""
    with CycleTLS(verify=ca_file) as session:
        yield session


@pytest.mark.parametrize("method", ["get", "delete", "patch", "post", "put"])
def test_methods_reach_the_server(transport: str, session: CycleTLS, method: str) -> None:
    """Over HTTP, HTTPS and HTTP/2."""
    response = getattr(session, method)(f"{transport}/{method}")
    assert response.status_code == 200
    assert response.request.method == method.upper()
    assert response.json()["url"] == f"{transport}/{method}"


def test_head_and_options_have_no_body(transport: str, session: CycleTLS) -> None:
    """And say what they say in their head."""
    head = session.head(f"{transport}/get")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert "GET" in session.options(f"{transport}/get").headers["Allow"]


def test_any_method_can_be_sent(scripted: type[ScriptedServer]) -> None:
    """In upper case, as requests sends it."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.read_head())
        peer.send(OK)

    with scripted(script) as server, CycleTLS() as session:
        session.request("propfind", f"{server.url}/dav")
    assert heads[0].startswith(b"PROPFIND /dav HTTP/1.1\r\n")


def test_version_is_the_transports(servers: Any, session: CycleTLS) -> None:
    """And TLS is told where there is some."""
    plain, tls, h2 = (session.get(f"{url}/get") for url in servers)
    assert [plain.http_version, tls.http_version, h2.http_version] == ["HTTP/1.1", "HTTP/1.1", "HTTP/2"]
    assert plain.tls is None
    assert tls.tls is not None
    assert h2.tls is not None
    assert (h2.tls.alpn, h2.tls.server_name, h2.tls.version) == ("h2", "localhost", "TLSv1.3")
    assert h2.tls.peer_certificate == tls.tls.peer_certificate
    assert b"localhost" in (tls.tls.peer_certificate or b"")


def test_certificates_are_forgotten_with_the_session(httpbin_tls: str, ca_file: str) -> None:
    """A response that outlives it has none; that is no error."""
    with CycleTLS(verify=ca_file) as session:
        tls = session.get(f"{httpbin_tls}/get").tls
    assert tls is not None
    assert tls.certificates == []
    assert tls.peer_certificate is None


@pytest.mark.parametrize(
    "params",
    [{"q": "ü ö&=+#/?%"}, {"a": ["1", "2"], "b": None, "c": ""}, [("a", 1), ("b", 2), ("a", 3)], "x=1&y=%20"],
)
def test_params_arrive(httpbin: str, session: CycleTLS, params: Any) -> None:
    """Whatever their shape and characters; the URL's own query comes first."""
    response = session.get(f"{httpbin}/anything?own=1", params=params)
    expected = parse_qsl(params, keep_blank_values=True) if isinstance(params, str) else []
    pairs = params.items() if isinstance(params, dict) else params
    for name, value in [] if isinstance(params, str) else pairs:
        expected += [(name, str(v)) for v in (value if isinstance(value, list) else [value]) if v is not None]
    assert parse_qsl(urlsplit(response.json()["url"]).query, keep_blank_values=True) == [("own", "1"), *expected]


def test_params_by_position(httpbin: str, session: CycleTLS) -> None:
    """As in requests."""
    assert session.get(f"{httpbin}/get", {"a": "1"}).json()["args"] == {"a": "1"}


def test_basic_auth(transport: str, session: CycleTLS) -> None:
    """As an option of the request, of the session, and in the URL."""
    url = f"{transport}/basic-auth/user/p%C3%A4ss"
    assert session.get(url).status_code == 401
    assert session.get(url, auth=("user", "päss")).json()["authenticated"]
    session.auth = ("user", "päss")
    assert session.get(url).ok
    session.auth = None
    assert session.get(url.replace("://", "://user:p%C3%A4ss@")).ok


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_content_codings_are_undone(transport: str, session: CycleTLS, coding: str) -> None:
    """Unless decode_content=False says otherwise."""
    coded = {"brotli": "brotli", "gzip": "gzipped", "deflate": "deflated"}[coding]
    assert session.get(f"{transport}/{coding}").json()[coded] is True
    raw = session.get(f"{transport}/{coding}", decode_content=False)
    assert raw.headers["Content-Encoding"] == {"brotli": "br"}.get(coding, coding)
    assert not raw.content.startswith(b"{")


def test_bodies_of_any_size_arrive_whole(transport: str, session: CycleTLS) -> None:
    """Empty, in one crossing, in several; with and without a length."""
    for size in (0, 1, 65535, 65536, 100_000):
        assert len(session.get(f"{transport}/bytes/{size}").content) == size
        assert len(session.get(f"{transport}/stream-bytes/{size}").content) == size


def test_headers_arrive_in_order_and_case(scripted: type[ScriptedServer]) -> None:
    """Repeats included, where the caller and not a browser decides."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.read_head())
        peer.send(OK)

    lines = [("X-B", "1"), ("x-a", "2"), ("X-B", "3")]
    with scripted(script) as server, CycleTLS(profile=None) as session:
        sent = session.get(server.url, headers=lines).request.headers.multi_items()
    assert b"\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\n" in heads[0]
    on_the_wire = [tuple(line.split(": ", 1)) for line in heads[0].decode().split("\r\n")[1:-2]]
    assert sent == on_the_wire


def test_header_order_places_what_is_there_and_brings_nothing(scripted: type[ScriptedServer]) -> None:
    """A name that no header has, were it a whole header line, has no effect."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.read_head())
        peer.send(OK)

    with scripted(script) as server, CycleTLS(profile=None) as session:
        session.get(server.url, headers={"A": "1", "B": "2"}, header_order=["b", "X: 1\r\nY", "a"])
    assert heads[0].index(b"B: 2") < heads[0].index(b"A: 1")
    assert b"Y" not in heads[0]


def test_none_takes_a_header_out(httpbin: str) -> None:
    """One of the profile's, or of the session's."""
    with CycleTLS(headers={"X-Session": "1", "Accept-Language": None}) as session:
        first = session.get(f"{httpbin}/headers").json()["headers"]
        second = session.get(f"{httpbin}/headers", headers={"x-session": None, "X-Own": "2"}).json()["headers"]
    assert first["X-Session"] == "1"
    assert "Accept-Language" not in first.keys() | second.keys()
    assert "X-Session" not in second
    assert second["X-Own"] == "2"


@pytest.mark.parametrize("asked", [False, True], ids=["before", "between"])
def test_none_takes_a_header_out_of_the_session(httpbin: str, asked: bool) -> None:
    """Assigned or by update(), before and after its first request; a value brings the header back."""
    with CycleTLS(headers={"X-Session": "1"}) as session:
        if asked:
            assert "Accept-Language" in session.get(f"{httpbin}/headers").json()["headers"]
        session.headers["Accept-Language"] = None
        session.headers.update({"x-session": None})  # type: ignore[dict-item]  # Mapping's own signature
        assert dict(session.headers) == {}
        assert not {"Accept-Language", "X-Session"} & session.get(f"{httpbin}/headers").json()["headers"].keys()
        session.headers["accept-language"] = "de"
        assert session.get(f"{httpbin}/headers").json()["headers"]["Accept-Language"] == "de"


def test_headers_and_cookies_can_be_set(httpbin: str) -> None:
    """To any of the shapes that the constructor takes; what was there is gone, what is none changes nothing."""
    with CycleTLS(headers={"X-Old": "1"}, cookies={"old": "1"}) as session:
        session.headers = {"X-New": "2", "Accept-Language": None}
        session.cookies = {"new": "2"}
        sent = session.get(f"{httpbin}/headers").json()["headers"]
        assert (sent["X-New"], sent["Cookie"]) == ("2", "new=2")
        assert not {"X-Old", "Accept-Language"} & sent.keys()
        session.cookies = session.cookies
        session.headers = session.headers
        with pytest.raises(cycletls.InvalidHeader):
            session.headers = {"X": 1}  # type: ignore[dict-item]  # that is the point
        with pytest.raises(cycletls.InvalidOption):
            session.cookies = 5
        assert session.get(f"{httpbin}/headers").json()["headers"] == sent


def test_user_agent_of_session_and_request(httpbin: str) -> None:
    """In the profile's place."""
    with CycleTLS(user_agent="session/1") as session:
        assert session.get(f"{httpbin}/user-agent").json()["user-agent"] == "session/1"
        assert session.get(f"{httpbin}/user-agent", user_agent="own/1").json()["user-agent"] == "own/1"


def test_connections_are_reused(transport: str, session: CycleTLS) -> None:
    """Unless the session is told not to."""
    assert not session.get(f"{transport}/get").connection.reused
    assert session.get(f"{transport}/get").connection.reused
    assert not session.get(f"{transport}/get", enable_connection_reuse=False).connection.reused


def test_threads_share_a_session(transport: str, session: CycleTLS) -> None:
    """Each gets its own answer."""
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda n: session.get(f"{transport}/get", params={"n": n}).json()["args"]["n"], range(64))
    assert list(answers) == [str(n) for n in range(64)]


def test_verification_of_one_request_does_not_change_the_next(httpbin_tls: str) -> None:
    """Nor does a connection that was made without it serve one that wants it (CVE-2024-35195)."""
    with CycleTLS() as session:
        for _ in range(2):
            with pytest.raises(cycletls.CertificateError, match="localhost"):
                session.get(f"{httpbin_tls}/get")
            assert session.get(f"{httpbin_tls}/get", verify=False).ok


def test_roots_are_taken_from_a_file_or_folder(httpbin_tls: str, ca_file: str, tmp_path: Any) -> None:
    """As in requests; anything else than the right authority is refused."""
    (tmp_path / "ca.pem").write_bytes(Path(ca_file).read_bytes())
    for verify in (ca_file, tmp_path):
        assert cycletls.get(f"{httpbin_tls}/get", verify=verify).ok


def test_server_name_is_asked_for_and_verified(httpbin_tls: str, ca_file: str) -> None:
    """A certificate for another name does not do."""
    with pytest.raises(cycletls.CertificateError, match=r"other\.example"):
        cycletls.get(f"{httpbin_tls}/get", verify=ca_file, server_name="other.example")


def test_resolve_replaces_the_look_up(httpbin: str) -> None:
    """The Host header keeps the name."""
    port = urlsplit(httpbin).port
    response = cycletls.get(f"http://name.invalid:{port}/get", resolve={"name.invalid": "127.0.0.1"})
    assert response.json()["headers"]["Host"] == f"name.invalid:{port}"


def test_private_addresses_can_be_blocked(httpbin: str) -> None:
    """Before anything is sent."""
    with pytest.raises(cycletls.BlockedAddress):
        cycletls.get(f"{httpbin}/get", block_private=True)


def test_force_http1(httpbin_h2: str, session: CycleTLS) -> None:
    """Of a session that speaks HTTP/2 otherwise."""
    assert session.get(f"{httpbin_h2}/get", force_http1=True).http_version == "HTTP/1.1"
    assert session.get(f"{httpbin_h2}/get").http_version == "HTTP/2"


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://h/api", "users", "https://h/api/users"),
        ("https://h/api/", "/users", "https://h/api/users"),
        ("https://h", "/u?x=http://y", "https://h/u?x=http://y"),
        ("https://h/api", "", "https://h/api"),
        ("https://h/api", "?q=1", "https://h/api?q=1"),
        ("https://h/api", "//evil/x", "https://h/api/evil/x"),
        ("https://h/api", "https://other/x", "https://other/x"),
        ("https://h/api", "a:b", "a:b"),
        (None, "https://h", "https://h"),
    ],
)
def test_base_url_goes_before_relative_urls(base: str | None, url: str, joined: str) -> None:
    """What has a scheme is a URL of its own; what has none stays on the base's host."""
    assert _url(base, url) == joined


def test_url_objects_are_taken_as_text() -> None:
    """yarl's, httpx's, one's own; bytes, None and a list are no URLs."""

    class Url:
        def __str__(self) -> str:
            return "http://h/"

    assert _url(None, Url()) == "http://h/"
    for wrong in (None, b"http://h/", ["http://h/"]):
        with pytest.raises(cycletls.InvalidURL):
            cycletls.get(wrong)  # type: ignore[arg-type]  # that is the point
    for wrong in (None, ["GET"]):
        with pytest.raises(cycletls.InvalidMethod):
            cycletls.request(wrong, "http://h/")  # type: ignore[arg-type]  # likewise


def test_closing_a_session_closes_its_connections(scripted: type[ScriptedServer]) -> None:
    """Closing twice is harmless; using it afterwards is an error that says so."""
    gone: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(OK)
        gone.append(peer.read_all())

    with scripted(script) as server:
        session = CycleTLS()
        session.get(server.url)
        session.close()
        session.close()
        for method in ("get", "post"):
            with pytest.raises(cycletls.SessionClosed, match="closed"):
                getattr(session, method)(server.url)
    assert gone == [b""]


def test_a_forgotten_session_closes_its_connections(scripted: type[ScriptedServer]) -> None:
    """Without the collector's help: nothing in a session refers back to it."""
    gone: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(OK)
        gone.append(peer.read_all())

    gc.disable()
    try:
        with scripted(script) as server:
            CycleTLS().get(server.url)
    finally:
        gc.enable()
    assert gone == [b""]


def test_unknown_attributes_are_refused() -> None:
    """A misspelled option is not kept in silence."""
    with CycleTLS() as session:
        with pytest.raises(AttributeError):
            session.verfy = False  # type: ignore[attr-defined]  # that is the point
        with pytest.raises(cycletls.InvalidOption):
            session.timeout = -1
        assert session.timeout == cycletls.Timeouts(30.0)


def test_sessions_share_no_cookies(httpbin: str) -> None:
    """Two of one process are strangers."""
    with CycleTLS() as one, CycleTLS() as other:
        one.get(f"{httpbin}/cookies/set/a/1")
        assert one.get(f"{httpbin}/cookies").json()["cookies"] == {"a": "1"}
        assert other.get(f"{httpbin}/cookies").json()["cookies"] == {}


def test_cookies_of_a_closed_session_can_be_read(httpbin: str) -> None:
    """As they were when it was closed; they cannot be changed any more."""
    with CycleTLS(cookies={"everywhere": "1"}) as session:
        session.get(f"{httpbin}/cookies/set/a/2")
    session.close()
    assert session.cookies.get_dict() == {"everywhere": "1", "a": "2"}
    with pytest.raises(cycletls.SessionClosed):
        session.cookies.set("b", "3", domain="h")


def test_variants_share_the_sessions_cookies(httpbin: str) -> None:
    """Another connection configuration is still the same session."""
    with CycleTLS() as session:
        session.get(f"{httpbin}/cookies/set/a/1", force_http1=True)
        assert session.get(f"{httpbin}/cookies").json()["cookies"] == {"a": "1"}
        assert session.cookies["a"] == "1"


def test_the_jar_can_be_read_and_changed(httpbin: str) -> None:
    """Set, replaced, deleted, cleared; with a domain or for everywhere."""
    with CycleTLS(cookies={"everywhere": "1"}) as session:
        session.cookies.set("here", "2", domain="127.0.0.1")
        session.cookies.set("there", "3", domain="example.org")
        assert session.get(f"{httpbin}/cookies").json()["cookies"] == {"everywhere": "1", "here": "2"}
        session.get(f"{httpbin}/cookies/set/here/4")
        assert session.cookies.get("here") == "4"
        del session.cookies["here"]
        assert session.cookies.get_dict() == {"everywhere": "1", "there": "3"}
        session.cookies.clear()
        assert session.get(f"{httpbin}/cookies").json()["cookies"] == {}


def test_cookies_of_a_request_stay_with_it(httpbin: str, session: CycleTLS) -> None:
    """They are not kept."""
    assert session.get(f"{httpbin}/cookies", cookies={"a": "1"}).json()["cookies"] == {"a": "1"}
    assert session.get(f"{httpbin}/cookies").json()["cookies"] == {}


@pytest.mark.parametrize("cookies", [{"a": "1\r\nX: 2"}, {"a;b": "1"}, {"a": "1; b=2"}])
def test_cookies_cannot_bring_others(httpbin: str, session: CycleTLS, cookies: dict[str, str]) -> None:
    """Neither those of a request nor those of the jar."""
    with pytest.raises(cycletls.RequestException):
        session.get(f"{httpbin}/cookies", cookies=cookies)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"headers": {"X": "a\r\nY: b"}}, cycletls.InvalidHeader),
        ({"headers": {"X\r\nY": "a"}}, cycletls.InvalidHeader),
        ({"headers": {"X:": "a"}}, cycletls.InvalidHeader),
        ({"headers": {"X Y": "a"}}, cycletls.InvalidHeader),
        ({"headers": {"X": "a\0"}}, cycletls.InvalidHeader),
        ({"kind": "nonsense"}, cycletls.InvalidOption),
    ],
)
def test_what_would_break_the_message_is_refused(
    scripted: type[ScriptedServer], options: dict[str, Any], error: type[Exception]
) -> None:
    """And nothing is sent."""
    with scripted(answer_all) as server, CycleTLS() as session:
        with pytest.raises(error):
            session.get(server.url, **options)
        assert server.connections == 0


@pytest.mark.parametrize("word", ["headers", "params", "cookies"])
def test_half_a_surrogate_pair_is_refused(word: str) -> None:
    """Wherever text is taken: no bytes stand for it. The next request is none the worse."""
    with CycleTLS() as session:
        with pytest.raises(cycletls.InvalidOption, match="not Unicode"):
            session.get("http://127.0.0.1:1/", **{word: {"X": "\ud800"}})  # type: ignore[arg-type]  # a word of three
        with pytest.raises(cycletls.ConnectionError):
            session.get("http://127.0.0.1:1/")


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nX:", "G ET", "", "GET\n"])
def test_methods_are_tokens(scripted: type[ScriptedServer], method: str) -> None:
    """Anything else is refused (CVE-2020-26137)."""
    with scripted(answer_all) as server:
        with pytest.raises(cycletls.InvalidMethod):
            cycletls.request(method, server.url)
        assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "http://", "ftp://h/", "http://[::1%25x]/", "http://[::1]x/", "http://h:99999/", "http://a b/"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """By the core's one parser, and the error shows it."""
    with pytest.raises(cycletls.InvalidURL) as caught:
        cycletls.get(url)
    assert caught.value.request is not None


def test_passwords_of_urls_are_shown_nowhere(httpbin: str) -> None:
    """Neither in a response nor in an exception."""
    response = cycletls.get(httpbin.replace("://", "://user:secret@") + "/get")
    assert "secret" not in response.url + response.request.url
    for url in ("http://user:secret@127.0.0.1:1/", "http://user:secret@[::1/", "ftp://user:secret@h/"):
        with pytest.raises(cycletls.RequestException) as caught:
            cycletls.get(url)
        assert "secret" not in str(caught.value) + repr(caught.value)
