"""Responses: everything is made of the core's message when it is asked for."""

from __future__ import annotations

import pickle
import warnings
from datetime import timedelta
from typing import Any

import pytest

from cycletls import TLS, Connection, HTTPError, Response, Timings
from cycletls._core import pack

HEAD: dict[str, Any] = {
    "type": "response",
    "status": 200,
    "version": "HTTP/2",
    "url": "https://h/b#c",
    "method": "GET",
    "headers": [["Content-Type", "text/html"], ["Set-Cookie", "a=1"], ["set-cookie", "b=2"]],
    "sent": [["Host", "h"], ["User-Agent", "me"]],
    "cookies": [{"name": "a", "value": "1", "domain": "h", "path": "/"}],
    "history": [
        {"status": 302, "version": "HTTP/2", "url": "https://h/a", "method": "POST", "headers": [["Location", "/b"]]}
    ],
    "connection": {
        "id": 7,
        "protocol": "h2",
        "reused": True,
        "remoteAddr": "127.0.0.1:443",
        "localAddr": "127.0.0.1:5000",
        "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "alpn": "h2", "serverName": "h"},
    },
    "timings": {"wait": 1.0, "total": 1500.0},
    "trailers": [["X-Sum", "1"]],
}


def response(content: bytes = b"", status: int = 200, **changes: Any) -> Response:
    """Make a response as the core would send it."""
    return Response(status, pack({**HEAD, "status": status, **changes}), content)


def typed(content_type: str, content: bytes) -> Response:
    """Make a response of that type."""
    return response(content, headers=[["Content-Type", content_type]])


def test_head_is_decoded_when_it_is_asked_for() -> None:
    """Whoever looks only at status and content pays for nothing else."""
    lazy = response(b"x")
    assert (lazy.status_code, lazy.content, bool(lazy)) == (200, b"x", True)
    assert isinstance(lazy._head, bytes)
    assert lazy.headers["content-type"] == "text/html"
    assert lazy.headers is lazy.headers
    assert isinstance(lazy._head, dict)


def test_everything_requests_has() -> None:
    """Under its names."""
    full = response(b"x")
    assert (full.url, full.final_url, full.http_version) == ("https://h/b#c", "https://h/b#c", "HTTP/2")
    assert full.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert full.cookies["a"] == "1"
    assert full.elapsed == timedelta(seconds=1.5)
    assert (full.request.method, full.request.url) == ("GET", "https://h/b#c")
    assert full.request.headers.multi_items() == [("Host", "h"), ("User-Agent", "me")]
    assert full.trailers["x-sum"] == "1"
    assert repr(full) == "<Response [200]>"


def test_history_is_of_responses() -> None:
    """First to last, each with its own head."""
    [hop] = response().history
    assert (hop.status_code, hop.url, hop.headers["location"], hop.content) == (302, "https://h/a", "/b", b"")
    assert hop.is_redirect
    assert hop.history == []
    assert hop.request.method == "POST"


def test_connection_and_tls_are_told() -> None:
    """In the names of the registries."""
    full = response()
    assert full.connection == Connection(HEAD["connection"])
    assert (full.connection.reused, full.connection.remote_address) == (True, "127.0.0.1:443")
    assert full.tls == TLS(HEAD["connection"]["tls"], 7, None)
    assert full.tls is not None
    assert (full.tls.version, full.tls.alpn, full.tls.resumed, full.tls.peer_certificate) == (
        "TLSv1.3",
        "h2",
        False,
        None,
    )
    assert response(connection={"protocol": "http/1.1"}).tls is None


def test_timings_are_seconds() -> None:
    """What the core did not spend is 0."""
    assert response().timings == Timings(pool=0, dns=0, connect=0, tls=0, send=0, wait=0.001, total=1.5)


@pytest.mark.parametrize(
    ("status", "ok", "client", "server"),
    [(101, True, False, False), (204, True, False, False), (304, True, False, False), (404, False, True, False),
     (500, False, False, True), (599, False, False, True), (600, False, False, False)],
)  # fmt: skip
def test_status_is_classed(status: int, ok: bool, client: bool, server: bool) -> None:
    """ok as in requests; CycleTLS' is_* beside it."""
    classed = response(status=status)
    assert (classed.ok, classed.is_client_error, classed.is_server_error) == (ok, client, server)
    assert classed.is_error == (client or server)


def test_raise_for_status_says_what_and_where() -> None:
    """Once each, and it has the response."""
    response().raise_for_status()
    with pytest.raises(HTTPError, match=r"^\w+ https://h/b#c: 404 Client Error: Not Found$") as caught:
        response(status=404).raise_for_status()
    assert caught.value.response is not None
    with pytest.raises(HTTPError, match="503 Server Error: Busy"):
        response(status=503, reason="Busy").raise_for_status()


def test_reason_is_the_servers_or_the_usual_one() -> None:
    """HTTP/2 sends none, and an unknown code has none."""
    assert response(reason="Fine").reason == "Fine"
    assert response().reason == "OK"
    assert response(status=599).reason == ""


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        ("text/html; charset=iso-8859-1", b"caf\xe9", "café"),
        ('text/html; x=y; Charset="UTF-8"', "ü".encode(), "ü"),
        ("text/plain", "ü".encode(), "ü"),
        ("text/plain", b"\xff", "\ufffd"),
        ("text/plain; charset=nonsense", "ü".encode(), "ü"),
        ("text/plain; charset=", "ü".encode(), "ü"),
        ("text/plain; charset=\0", b"x", "x"),
        ("", b"x", "x"),
    ],
)
def test_text_is_decoded_by_its_charset(content_type: str, content: bytes, text: str) -> None:
    """UTF-8 where none is said, and never an error."""
    assert typed(content_type, content).text == text
    assert typed(content_type, content).body == text


@pytest.mark.parametrize(
    "codec", ["idna", "punycode", "unicode_escape", "raw-unicode-escape", "undefined", "hex", "zlib", "rot13"]
)
def test_codecs_that_are_no_charsets_are_not_used(codec: str) -> None:
    """A server cannot choose one that warns, fails or takes long."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert typed(f"text/plain; charset={codec}", rb"\d\x41xn--4ca").text == r"\d\x41xn--4ca"


def test_encoding_can_be_set() -> None:
    """The caller may know better than the server."""
    wrong = typed("text/plain; charset=utf-8", b"caf\xe9")
    assert wrong.encoding == "utf-8"
    wrong.encoding = "latin-1"
    assert (wrong.encoding, wrong.text) == ("latin-1", "café")
    wrong.encoding = None
    assert wrong.encoding == "utf-8"


def test_content_is_iterated_over_in_pieces() -> None:
    """Bytes or text, of the size that was asked for."""
    abc = response("äbc".encode())
    assert list(abc.iter_content(2)) == [b"\xc3\xa4", b"bc"]
    assert list(abc.iter_content(None)) == ["äbc".encode()]
    assert list(abc.iter_content(2, decode_unicode=True)) == ["äb", "c"]
    assert list(response().iter_content(None)) == []
    assert b"".join(abc) == abc.content


def test_a_response_can_be_closed() -> None:
    """As requests' programs do, by hand or with a block; its body stays."""
    with response(b"x") as opened:
        opened.close()
    assert opened.content == b"x"


def test_lines_are_iterated_over() -> None:
    """Without their ends, or split at a delimiter."""
    lines = response(b"a\r\nb\n\nc")
    assert list(lines.iter_lines()) == [b"a", b"b", b"", b"c"]
    assert list(lines.iter_lines(decode_unicode=True)) == ["a", "b", "", "c"]
    assert list(lines.iter_lines(delimiter=b"\n\n")) == [b"a\r\nb", b"c"]


def test_a_redirect_needs_a_place_to_go_to() -> None:
    """Status and Location together make one."""
    assert not response(status=302, headers=[]).is_redirect
    assert not response(status=304, headers=[["Location", "/"]]).is_redirect
    assert response(status=308, headers=[["location", "/"]]).is_redirect


def test_links_by_relation() -> None:
    """As in requests."""
    linked = response(headers=[["Link", '</2>; rel="next"'], ["Link", "</x>"]])
    assert linked.links == {"next": {"url": "/2", "rel": "next"}, "/x": {"url": "/x"}}


def test_cycletls_names_of_the_body() -> None:
    """body, body_bytes and array_buffer()."""
    body = response(b"x")
    assert (body.body, body.body_bytes, body.array_buffer()) == ("x", b"x", b"x")


def test_responses_can_be_pickled() -> None:
    """For caches and worker processes; decoded or not."""
    original = response(b"x")
    original.encoding = "latin-1"
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(original))
        assert (copy.status_code, copy.content, copy.url, copy.encoding) == (200, b"x", original.url, "latin-1")
        assert copy.headers == original.headers
        assert [hop.url for hop in copy.history] == ["https://h/a"]
        original.history.copy()
