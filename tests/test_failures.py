"""What servers do wrong, end to end: each has its exception, about its request; none hangs or passes for a reply."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from servers import Peer, Script, ScriptedServer

import cycletls
from cycletls import CycleTLS, Timeouts

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(data: bytes) -> Script:
    """Answer one request with these bytes and hang up."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(data)

    return script


def bomb() -> bytes:
    """64 MiB of zeros in 64 KiB."""
    packed = gzip.compress(bytes(64 << 20))
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


WRONG: dict[str, tuple[bytes, type[Exception]]] = {
    "nothing": (b"", cycletls.ConnectionClosed),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", cycletls.ProtocolError),
    "half a head": (HEAD + b"Content-Le", cycletls.ConnectionError),
    "short of Content-Length": (HEAD + b"Content-Length: 5\r\n\r\nfour", cycletls.IncompleteRead),
    "chunks that end early": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n", cycletls.IncompleteRead),
    "a chunk size that is none": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x4\r\nfour\r\n0\r\n\r\n",
        cycletls.ProtocolError,
    ),
    "chunks ended by a bare LF": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\nfour\r\n0\r\n\r\n",
        cycletls.ProtocolError,
    ),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", cycletls.ProtocolError),
    "a signed length": (HEAD + b"Content-Length: +2\r\n\r\nok", cycletls.ProtocolError),
    "an endless length": (HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nok", cycletls.ProtocolError),
    "a space before the colon": (HEAD + b"Content-Length : 2\r\n\r\nok", cycletls.ProtocolError),
    "a folded header": (HEAD + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok", cycletls.ProtocolError),
    "NUL in a header": (HEAD + b"A: \0\r\nContent-Length: 2\r\n\r\nok", cycletls.ProtocolError),
    "an unknown transfer coding": (
        HEAD + b"Transfer-Encoding: magic, chunked\r\n\r\n0\r\n\r\n",
        cycletls.ProtocolError,
    ),
    "a head that is too long": (HEAD + b"A: " + b"b" * (300 << 10) + b"\r\n\r\n", cycletls.LimitExceeded),
    "informational replies without end": (b"HTTP/1.1 103 Hints\r\n\r\n" * 100 + OK, cycletls.LimitExceeded),
    "broken gzip": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nfour", cycletls.ContentDecodingError),
    "gzip cut short": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(b"x" * 100)[:20],
        cycletls.ContentDecodingError,
    ),
    "200 content codings": (
        HEAD + b"Content-Encoding: " + b"gzip, " * 200 + b"gzip\r\nContent-Length: 1\r\n\r\nx",
        cycletls.CycleTLSError,
    ),
    "a bomb": (bomb(), cycletls.LimitExceeded),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_reply_is_its_exception(scripted: type[ScriptedServer], what: str) -> None:
    """Never a short body, never one that is not the server's; and the exception is about the request."""
    data, error = WRONG[what]
    with scripted(answer(data)) as server, CycleTLS() as session:
        with pytest.raises(error) as caught:
            session.post(f"{server.url}/path", data=b"body")
        assert isinstance(caught.value, cycletls.RequestException)
        assert caught.value.request is not None
        assert (caught.value.request.method, caught.value.request.url) == ("POST", f"{server.url}/path")
        assert str(caught.value).startswith(f"POST {server.url}/path: ")


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({"max_header_bytes": 100}, HEAD + b"A: " + b"b" * 200 + b"\r\nContent-Length: 0\r\n\r\n"),
        ({"max_informational": 1}, b"HTTP/1.1 103 Hints\r\n\r\n" * 2 + OK),
        ({"max_body_bytes": 1}, OK),
    ],
)
def test_limits_are_options(scripted: type[ScriptedServer], options: dict[str, Any], data: bytes) -> None:
    """Of a session or a request, each for itself."""
    with scripted(answer(data)) as server, CycleTLS() as session:
        with pytest.raises(cycletls.LimitExceeded):
            session.get(server.url, **options)
        assert session.get(server.url).status_code == 200


def test_a_wanted_expansion_is_allowed(scripted: type[ScriptedServer]) -> None:
    """Where somebody expects a bomb's size."""
    with scripted(answer(bomb())) as server:
        assert len(cycletls.get(server.url, max_expansion=10_000).content) == 64 << 20


@pytest.mark.parametrize("wrap", [zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_deflate_is_understood_in_both_its_forms(
    scripted: type[ScriptedServer], wrap: Callable[[bytes], bytes]
) -> None:
    """With zlib's wrapper, as it should be, and raw, as many servers send it."""
    packed = wrap(b"content" * 100)
    head = HEAD + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with scripted(answer(head + packed)) as server:
        assert cycletls.get(server.url).content == b"content" * 100


def silent(peer: Peer) -> None:
    """Take a request and say nothing."""
    peer.read_head()
    peer.read_all()


def drip(peer: Peer) -> None:
    """Answer a byte at a time, for ever."""
    peer.read_head()
    peer.drip(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 1000, 0.05)


@pytest.mark.parametrize(
    ("script", "timeout", "error"),
    [
        (silent, 0.3, cycletls.Timeout),
        (drip, 0.3, cycletls.Timeout),
        (silent, (5, 0.3), cycletls.ReadTimeout),
        (silent, Timeouts(read=0.3), cycletls.ReadTimeout),
    ],
)
def test_time_limits_hold(scripted: type[ScriptedServer], script: Script, timeout: Any, error: type[Exception]) -> None:
    """For a server that says nothing, and in all for one that says something all the time."""
    with scripted(script) as server, CycleTLS() as session:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            session.get(server.url, timeout=timeout)
        assert type(caught.value) is error
        assert 0.3 <= time.monotonic() - began < 3


def test_a_handshake_is_under_the_limits(scripted: type[ScriptedServer]) -> None:
    """A server that accepts and never speaks TLS."""
    with scripted(Peer.read_all) as server, CycleTLS() as session:  # type: ignore[arg-type]  # what it returns is dropped
        url = server.url.replace("http:", "https:")
        with pytest.raises(cycletls.ConnectTimeout):
            session.get(url, timeout=Timeouts(connect=0.3))
        with pytest.raises(cycletls.Timeout):
            session.get(url, timeout=0.3)


def test_waiting_for_a_connection_is_under_a_limit(scripted: type[ScriptedServer]) -> None:
    """max_connections are in use: the pool's limit counts."""
    asked, go_on = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        go_on.wait()
        peer.send(OK)

    with scripted(script) as server, CycleTLS(max_connections_per_host=1) as session:
        first = threading.Thread(target=session.get, args=(server.url,))
        first.start()
        asked.wait()
        with pytest.raises(cycletls.PoolTimeout):
            session.get(server.url, timeout=Timeouts(pool=0.2))
        go_on.set()
        first.join()


def test_nobody_there() -> None:
    """Each address that was tried is named."""
    with pytest.raises(cycletls.ConnectError, match=r"127\.0\.0\.1:1") as caught:
        cycletls.get("http://127.0.0.1:1/")
    assert caught.value.detail["delivery"] == "unsent"


def test_a_name_without_an_address() -> None:
    """Is an error of its own."""
    with pytest.raises(cycletls.ConnectionError):
        cycletls.get("http://name.invalid/", timeout=5)


def test_http_where_tls_is_expected(scripted: type[ScriptedServer]) -> None:
    """And the other way round: both are told, neither hangs."""
    with scripted(lambda peer: peer.send(OK)) as server, pytest.raises(cycletls.TLSError):
        cycletls.get(server.url.replace("http:", "https:"))


def test_tls_where_http_is_expected(httpbin_tls: str) -> None:
    """A server that answers an HTTP request with an alert."""
    with pytest.raises(cycletls.ConnectionError):
        cycletls.get(httpbin_tls.replace("https:", "http:"))


def test_bytes_behind_a_reply_are_nobodys(scripted: type[ScriptedServer]) -> None:
    """The next request never reads what a server had sent before it was asked."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        peer.read_all()

    with scripted(script, answer(OK)) as server, CycleTLS() as session:
        assert [session.get(server.url).content for _ in range(2)] == [b"ok", b"ok"]
        assert server.connections == 2


def test_a_request_is_sent_again_only_where_it_is_safe(scripted: type[ScriptedServer]) -> None:
    """On a reused connection that dies: GET anew, POST never."""
    heads: list[bytes] = []

    def one_reply(peer: Peer) -> None:
        peer.read_head()
        peer.send(OK)
        heads.append(peer.read_head()[:4])  # and hangs up without a word

    for method, expected in (("GET", 200), ("POST", None)):
        heads.clear()
        with scripted(one_reply, answer(OK)) as server, CycleTLS() as session:
            session.get(server.url)
            if expected:
                assert session.request(method, server.url).status_code == expected
            else:
                with pytest.raises(cycletls.ConnectionClosed):
                    session.request(method, server.url)
                assert server.connections == 1
        assert heads == [method.ljust(4).encode()]


def test_closing_a_session_ends_what_is_under_way(scripted: type[ScriptedServer]) -> None:
    """Another thread is told at once, the server sees the end, and nothing new begins."""
    asked, left = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def script(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        peer.await_end()
        left.set()

    def wait_for_nothing() -> None:
        try:
            session.get(server.url)
        except cycletls.RequestException as exc:
            raised.append(exc)

    with scripted(script) as server:
        session = CycleTLS()
        thread = threading.Thread(target=wait_for_nothing)
        thread.start()
        asked.wait()
        session.close()
        with pytest.raises(cycletls.SessionClosed):
            session.get(server.url)
        assert left.wait(1)
        thread.join()
    assert [type(exc) for exc in raised] == [cycletls.SessionClosed]
