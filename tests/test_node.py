"""The published client of CycleTLS, npm's cycletls 2.0.5, speaks with the sidecar."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from npm import COMMAND, INSTALLED, Npm, node_sidecar
from servers import Peer, Script, ScriptedServer
from websockets.sync.server import ServerConnection, serve

import cycletls
from cycletls.testing import CaptureServer

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="npm's cycletls is not installed: `make test-node` does, where node is"
)

JA3 = (
    "771,4865-4867-4866-49195-49199-52393-52392-49196-49200-49162-49161-49171-49172-51-57-47-53-10,"
    "0-23-65281-10-11-35-16-5-51-43-13-45-28-21,29-23-24-25-256-257,0"
)
"""What the client asks for where its user says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a sidecar that its user has started."""
    with node_sidecar() as port:
        yield port


@pytest.fixture(scope="module")
def npm(port: int) -> Iterator[Npm]:
    """npm's client, which has found the sidecar."""
    with Npm() as npm:
        npm.init(port=port)
        yield npm


def test_get(npm: Npm, httpbin: str) -> None:
    """Status, URL, headers and JSON are there as the client's users know them."""
    response = npm.request("get", f"{httpbin}/get?a=%C3%BC", headers={"X-Own": "1"})
    assert response["status"] == 200
    assert response["finalUrl"] == f"{httpbin}/get?a=%C3%BC"
    assert response["headers"]["Content-Type"] == ["application/json"]
    assert response["data"]["args"] == {"a": "ü"}
    assert response["data"]["headers"]["X-Own"] == "1"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_text_is_uploaded(npm: Npm, httpbin: str, method: str) -> None:
    """A body that is a text arrives as UTF-8, by each method."""
    text = json.dumps({"a": "☃"})
    response = npm.request(method, f"{httpbin}/{method}", body=text, headers={"Content-Type": "application/json"})
    assert response["data"]["json"] == {"a": "☃"}


def test_forms_are_uploaded(npm: Npm, httpbin: str) -> None:
    """As URLSearchParams and, with a file, as FormData."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert npm.request("post", f"{httpbin}/post", search={"a": "b c"}, headers=form)["data"]["form"] == {"a": "b c"}
    data = npm.request("post", f"{httpbin}/post", form=[["a", "1"], ["file", "content", "name.txt"]])["data"]
    assert (data["form"], data["files"]) == ({"a": "1"}, {"file": "content"})


def test_bytes_are_uploaded(npm: Npm, httpbin: str) -> None:
    """All 256 of them, from a Buffer, which the client's own server cannot take."""
    every = bytes(range(256)) * 300
    octets = {"Content-Type": "application/octet-stream"}
    response = npm.request("post", f"{httpbin}/post", base64=base64.b64encode(every).decode(), headers=octets)
    assert base64.b64decode(response["data"]["data"].partition(",")[2]) == every


def answering(response: bytes) -> Script:
    """A script that gives one response."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(response)

    return script


@pytest.mark.parametrize("kind", ["arraybuffer", "stream"])
def test_bytes_are_downloaded(npm: Npm, kind: str) -> None:
    """As they were sent, and all of them."""
    every = bytes(range(256)) * 1000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(every)}\r\n\r\n".encode()
    with ScriptedServer(answering(head + every)) as server:
        response = npm.request("get", server.url, responseType=kind)
        assert (response["data"] if kind == "arraybuffer" else drained(npm, response["stream"])) == every


def drained(npm: Npm, stream: int) -> bytes:
    """Everything that is left of a stream."""
    return b"".join(iter(lambda: npm.read(stream), None))


def test_content_codings_are_undone(npm: Npm) -> None:
    """The client would not, and it is not told of any."""
    packed = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nx-is: there\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    with ScriptedServer(answering(head + packed)) as server:
        response = npm.request("get", server.url)
    assert response["data"] == {"a": 1}
    assert response["headers"] == {"X-Is": ["there"]}


def test_redirects(npm: Npm, httpbin: str) -> None:
    """They are followed with what they set, unless that is not wanted; the next request knows nothing of it."""
    response = npm.request("get", f"{httpbin}/cookies/set?a=1", cookies={"own": "2"})
    assert response["finalUrl"] == f"{httpbin}/cookies"
    assert response["data"]["cookies"] == {"a": "1", "own": "2"}
    response = npm.request("get", f"{httpbin}/redirect/1", disableRedirect=True)
    assert (response["status"], response["headers"]["Location"]) == (302, ["/get"])
    assert npm.request("get", f"{httpbin}/cookies")["data"]["cookies"] == {}


def test_cookies(npm: Npm, httpbin: str) -> None:
    """In each form that the client's README shows, with dates and sameSite that its own server chokes on."""
    dated = {"name": "a", "value": "1", "expires": "Mon, 02-Jan-2022 15:04:05 EST", "sameSite": "Lax", "secure": False}
    assert npm.request("get", f"{httpbin}/cookies", cookies=[dated])["data"]["cookies"] == {"a": "1"}
    cookies = {"a": "1", "b": "2"}
    assert npm.request("get", f"{httpbin}/cookies", cookies=cookies)["data"]["cookies"] == cookies


def test_what_the_client_always_asks_for(npm: Npm, cycletls_capture: CaptureServer) -> None:
    """Its own JA3 and user agent, which no client hints contradict."""
    npm.request("get", cycletls_capture.url, insecureSkipVerify=True)
    last = cycletls_capture.last
    assert last.ja3 == JA3
    assert "Chrome/101.0.4951.54" in last.headers["user-agent"]
    assert not [name for name in last.header_names if name.startswith("sec-ch-")]


@pytest.mark.parametrize("name", ["firefox", "chrome-android", "safari-26-ios", "chrome_125", "firefox_121"])
def test_a_profile_by_name(npm: Npm, cycletls_capture: CaptureServer, name: str) -> None:
    """It is the whole of it, whatever the client adds, and the names are Python's."""
    with cycletls.CycleTLS(profile=name, verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url)
    own = cycletls_capture.last
    npm.request("get", cycletls_capture.url, insecureSkipVerify=True, profile=name)
    last = cycletls_capture.last
    assert (last.ja4, last.akamai, last.fields[4:]) == (own.ja4, own.akamai, own.fields[4:])


def test_notations_and_header_order(npm: Npm, cycletls_capture: CaptureServer) -> None:
    """JA4_r, Akamai's notation and the order of headers are on the wire as they were asked for."""
    akamai = "1:65536;4:131072|12517377|0|m,p,a,s"
    with cycletls.CycleTLS(profile="chrome", verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url)
    ja4_r = cycletls_capture.last.ja4_r
    npm.request(
        "get",
        cycletls_capture.url,
        insecureSkipVerify=True,
        ja4r=ja4_r,
        http2Fingerprint=akamai,
        headers={"x-a": "1", "x-b": "2", "x-c": "3"},
        headerOrder=["x-c", "x-a", "x-b"],
    )
    last = cycletls_capture.last
    assert (last.ja4_r, last.akamai) == (ja4_r, akamai)
    assert [name for name in last.header_names if name.startswith("x-")] == ["x-c", "x-a", "x-b"]


def test_protocols(npm: Npm, cycletls_capture: CaptureServer) -> None:
    """HTTP/2 where the server speaks it, unless HTTP/1.1 is forced; names of servers can be chosen."""
    npm.request("get", cycletls_capture.url, insecureSkipVerify=True)
    assert cycletls_capture.last.protocol == "h2"
    npm.request("get", cycletls_capture.url, insecureSkipVerify=True, forceHTTP1=True, serverName="inner.example")
    assert cycletls_capture.last.protocol == "http/1.1"


def test_failures_have_their_statuses(npm: Npm, cycletls_capture: CaptureServer) -> None:
    """A certificate that nobody vouches for, a refusal, a server that is silent, and what is no URL of ours."""
    assert npm.request("get", cycletls_capture.url)["status"] == 495
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert npm.request("get", url, timeout=0.3)["status"] == 408
    assert npm.request("get", url)["status"] == 502
    response = npm.request("get", "gopher://127.0.0.1/")
    assert response["status"] == 0
    assert "gopher" in response["data"]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"a": {}}},
        {"timeout": "soon"},
        {"proxy": "nothing://"},
        {"ja3": "771"},
        {"cookies": [{"name": ";"}]},
    ],
    ids=str,
)
def test_what_is_wrong_costs_one_request(npm: Npm, httpbin: str, options: dict[str, object]) -> None:
    """It ended the client's own server, or its connection without a word."""
    response = npm.request("get", f"{httpbin}/get", **options)
    assert response["status"] == 0
    assert next(iter(options)).rstrip("s") in response["data"]
    assert npm.request("get", f"{httpbin}/get")["status"] == 200


def test_requests_at_once(npm: Npm, httpbin: str) -> None:
    """Two hundred of them, some under one id, and each has its own response."""
    urls = [f"{httpbin}/base64/{base64.b64encode(str(number).encode()).decode()}" for number in range(200)]
    assert npm.together(urls) == [str(number) for number in range(200)]


def test_a_stream_comes_piece_by_piece(npm: Npm) -> None:
    """Each is there before the server sends the next."""
    read = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        read.wait()
        peer.send(b"3\r\ntwo\r\n0\r\n\r\n")

    with ScriptedServer(script) as server:
        stream = npm.request("get", server.url, responseType="stream")["stream"]
        assert npm.read(stream) == b"one"
        read.set()
        assert npm.read(stream) == b"two"
        assert npm.read(stream) is None


def test_a_stream_that_nobody_wants_is_cancelled(npm: Npm) -> None:
    """The server is left as soon as the client destroys the stream."""
    left = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        peer.read_all()
        left.set()

    with ScriptedServer(script) as server:
        stream = npm.request("get", server.url, responseType="stream")["stream"]
        assert npm.read(stream) == b"begun"
        assert not left.is_set()
        npm.destroy(stream)
        assert left.wait(20)


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\nevent: e\nid: 7\ndata: a\ndata: b\n\n"


def test_events(npm: Npm) -> None:
    """Each is a line of JSON, as the client may join pieces, and the end of the stream is the end."""
    with ScriptedServer(answering(EVENTS)) as server:
        stream = npm.request("sse", server.url, responseType="stream")["stream"]
        lines = drained(npm, stream).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "message", "data": "1", "id": "", "retry": 0},
        {"event": "e", "data": "a\nb", "id": "7", "retry": 0},
    ]


def test_events_without_a_stream(npm: Npm) -> None:
    """With the client's default the promise is kept when the stream ends, which its own server never tells."""
    with ScriptedServer(answering(EVENTS)) as server:
        assert npm.request("sse", server.url, responseType="text")["data"].count('"event"') == 2


@pytest.fixture
def repeater() -> Iterator[str]:
    """The URL of a WebSocket server that says back what it hears first, in bytes too, and goodbye."""

    def talk(connection: ServerConnection) -> None:
        heard = connection.recv()
        assert isinstance(heard, str)
        connection.send(heard)
        connection.send(heard.encode())

    with serve(talk, "127.0.0.1", 0) as server:
        listening = threading.Thread(target=server.serve_forever)
        listening.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        listening.join()


def test_websocket(npm: Npm, repeater: str) -> None:
    """The body is its first message, what comes are lines of JSON, and the server's goodbye is the end."""
    response = npm.request("ws", repeater, body="☃", responseType="stream")
    assert response["status"] == 101
    opened, *lines = [json.loads(line) for line in drained(npm, response["stream"]).splitlines()]
    assert (opened["type"], opened["status"]) == ("websocket", "connected")
    assert lines == [
        {"type": "websocket", "messageType": 1, "data": "☃"},
        {"type": "websocket", "messageType": 2, "data": "4piD", "encoding": "base64"},
    ]


def test_websocket_without_a_stream(npm: Npm, repeater: str) -> None:
    """With the client's default the promise is kept when the WebSocket ends; a refusal has its status."""
    assert npm.request("ws", repeater, body="x", responseType="text")["data"].count('"messageType"') == 2
    with ScriptedServer(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as server:
        assert npm.request("ws", server.url.replace("http:", "ws:"))["status"] == 403


def test_the_client_goes_and_the_sidecar_stays(port: int, httpbin: str) -> None:
    """A client that is killed in the middle of a response takes that with it, and nothing else."""
    left = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        peer.read_all()
        left.set()

    with ScriptedServer(script) as server:
        with Npm() as npm:
            npm.init(port=port)
            npm.read(npm.request("get", server.url, responseType="stream")["stream"])
        assert left.wait(20)
    with Npm() as npm:
        npm.init(port=port)
        assert npm.request("get", f"{httpbin}/get")["status"] == 200


def test_the_client_starts_the_sidecar_itself(tmp_path: Path, httpbin: str) -> None:
    """By executablePath, with nothing but a port in its environment; it ends with the client."""
    program = tmp_path / "cycletls-node"
    subprocess.run([*COMMAND, "--write-executable", program], check=True)
    with socket.create_server(("", 0)) as reserved:
        port = reserved.getsockname()[1]
    with Npm() as npm:
        npm.init(port=port, executablePath=str(program))
        assert npm.request("get", f"{httpbin}/get")["status"] == 200
        with socket.create_connection(("127.0.0.1", port)) as connection:
            npm.exit()
            with suppress(ConnectionResetError):  # by a process that was killed before it took the connection
                assert connection.recv(1) == b""
