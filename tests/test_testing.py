"""cycletls.testing: users see what they send, without a network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import cycletls
from cycletls.testing import CaptureServer, capture_server


@pytest.fixture
def session(cycletls_capture: CaptureServer) -> cycletls.CycleTLS:
    """A session that trusts the capture server."""
    return cycletls.CycleTLS(profile="chrome-156", verify=cycletls_capture.ca_file)


def test_headers_are_seen_in_the_order_of_the_wire(cycletls_capture: CaptureServer, session: cycletls.CycleTLS) -> None:
    """The caller's stay together in their order, among the profile's."""
    with session:
        session.get(f"{cycletls_capture.url}/a?b=c", headers=[("X-B", "1"), ("x-a", "2"), ("X-B", "3")])
    last = cycletls_capture.last
    assert (last.method, last.target, last.protocol, last.kind) == ("GET", "/a?b=c", "h2", "navigate")
    assert [name for name in last.header_names if name.startswith("x-")] == ["x-b", "x-a", "x-b"]
    assert last.headers["x-a"] == "2"
    assert [name for name, _ in last.fields[:4]] == [":method", ":authority", ":scheme", ":path"]


def test_hello_and_frames_are_seen(cycletls_capture: CaptureServer, session: cycletls.CycleTLS) -> None:
    """The notations, and the bytes that they tell of."""
    with session:
        session.post(cycletls_capture.url, data=b"body")
    last = cycletls_capture.last
    assert last.ja4 == "t13d1517h2_8daaf6152771_cb7bf5808d99"
    assert last.ja4_r.startswith("t13d1517h2_002f,")
    assert last.ja3.startswith("771,4865-")
    assert last.akamai == "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"
    assert last.settings == [(1, 65536), (2, 0), (4, 6291456), (6, 262144)]
    assert [frame.type for frame in last.frames[:3]] == ["SETTINGS", "WINDOW_UPDATE", "HEADERS"]
    assert last.frames[2].payload.endswith(last.header_block)
    assert last.client_hello[0] == 1
    assert (last.body, last.http1_head, last.server_name) == (b"body", b"", "localhost")


def test_http1_head_is_seen_byte_for_byte(cycletls_capture: CaptureServer) -> None:
    """Names in the case in which they left."""
    with cycletls.CycleTLS(force_http1=True, verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url, headers={"X-Own": "1"})
    last = cycletls_capture.last
    assert last.http1_head.startswith(b"GET / HTTP/1.1\r\nHost: localhost:")
    assert b"\r\nX-Own: 1\r\n" in last.http1_head
    assert (last.header_block, last.frames, last.settings, last.akamai) == (b"", [], [], "")


def test_requests_come_in_order_over_all_connections(cycletls_capture: CaptureServer) -> None:
    """Whichever connection brought them, and a second connection resumes."""
    with cycletls.CycleTLS(verify=cycletls_capture.ca_file, enable_connection_reuse=False) as session:
        for number in range(3):
            session.get(f"{cycletls_capture.url}/{number}")
    requests = cycletls_capture.requests
    assert [(request.target, request.connection) for request in requests] == [("/0", 1), ("/1", 2), ("/2", 3)]
    assert [request.resumed for request in requests] == [False, True, True]
    assert len(cycletls_capture.connections) == 3


def test_without_tickets_nothing_resumes() -> None:
    """The server gives none."""
    with (
        capture_server(tickets=False) as server,
        cycletls.CycleTLS(verify=server.ca_file, enable_connection_reuse=False) as session,
    ):
        session.get(server.url)
        session.get(server.url)
        assert [request.resumed for request in server.requests] == [False, False]


def test_a_retry_is_seen_as_two_hellos() -> None:
    """HelloRetryRequest: the server takes a group that the client sent no key for."""
    with capture_server(retry=True) as server:
        cycletls.get(server.url, verify=server.ca_file, profile="firefox")
        assert len(server.connections[0]["tls"]["hellos"]) == 2


def test_one_protocol_only() -> None:
    """A server of HTTP/1.1, and one in the clear."""
    with capture_server(protocols=["http/1.1"]) as server:
        assert cycletls.get(server.url, verify=server.ca_file).http_version == "HTTP/1.1"
    with capture_server(tls=False) as server:
        cycletls.get(server.url)
        assert (server.last.client_hello, server.last.ja4, server.key_pin) == (b"", "", "")


def test_captured_profile_sends_what_was_captured(cycletls_capture: CaptureServer, session: cycletls.CycleTLS) -> None:
    """A profile made of a capture, used, is captured as the same."""
    with session:
        session.get(f"{cycletls_capture.url}/page")
    profile = cycletls_capture.profile("mine", browser="Chromium", version="156", os="linux")
    assert (profile.name, profile.source.browser) == ("mine", "Chromium")
    with capture_server() as other:
        cycletls.get(f"{other.url}/page", profile=profile, verify=other.ca_file)
        assert other.last.ja4 == cycletls_capture.last.ja4
        assert other.last.akamai == cycletls_capture.last.akamai
        assert other.last.header_names == cycletls_capture.last.header_names


def test_a_capture_of_nothing_is_no_profile(cycletls_capture: CaptureServer) -> None:
    """And there is no last request."""
    with pytest.raises(cycletls.InvalidOption, match="no ClientHello"):
        cycletls_capture.profile()
    with pytest.raises(LookupError):
        _ = cycletls_capture.last


def test_a_handshake_that_failed_is_kept(cycletls_capture: CaptureServer) -> None:
    """Its hello is worth as much as any."""
    with pytest.raises(cycletls.CertificateError):
        cycletls.get(cycletls_capture.url)
    cycletls.get(cycletls_capture.url, verify=cycletls_capture.ca_file)
    failed = cycletls_capture.connections[0]
    assert failed["tls"]["ja4"].startswith("t13d")
    assert not failed["requests"]


def test_wait_returns_as_soon_as_there_is_enough(cycletls_capture: CaptureServer) -> None:
    """A client on another thread."""
    thread = threading.Thread(
        target=lambda: cycletls.get(f"{cycletls_capture.url}/late", verify=cycletls_capture.ca_file)
    )
    thread.start()
    assert [request.target for request in cycletls_capture.wait(target="/late")] == ["/late"]
    thread.join()
    with pytest.raises(TimeoutError, match="1 requests came"):
        cycletls_capture.wait(2, timeout=0.01)


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    """Within a tenth of a second, as everywhere."""
    script = (
        "from cycletls.testing import capture_server\n"
        "with capture_server() as server:\n"
        "    print('waiting', flush=True)\n"
        "    server.wait(timeout=60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as waiting:
        assert waiting.stdout
        waiting.stdout.readline()
        start = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        _, shown = waiting.communicate(timeout=10)
    assert b"KeyboardInterrupt" in shown
    assert time.monotonic() - start < 5


def test_a_closed_server_is_gone() -> None:
    """Its port is free, its file deleted with it, and it says so."""
    server = capture_server()
    path = server.ca_file
    server.close()
    server.close()
    with pytest.raises(cycletls.SessionClosed):
        server.document()
    with pytest.raises(cycletls.ConnectError):
        cycletls.get(server.url, verify=path)
    del server
    assert not os.path.exists(path)


def test_options_that_cannot_be_are_refused() -> None:
    """An address that is none, a certificate that is none."""
    with pytest.raises(cycletls.InvalidOption, match="capture: "):
        capture_server("no-such-host.invalid:x")
    with pytest.raises(cycletls.InvalidOption, match=r"none\.pem"):
        capture_server(cert="none.pem")


def test_it_listens_on_loopback() -> None:
    """Unless it is told otherwise."""
    with capture_server() as server:
        assert server.url.startswith("https://localhost:")
    with capture_server("127.0.0.2:0", tls=False) as server:
        assert server.url.startswith("http://127.0.0.2:")


def test_import_cycletls_does_not_import_it() -> None:
    """Few programs need it."""
    script = (
        "import sys, cycletls; print(sorted({'cycletls.testing', 'cycletls._capture', 'pytest'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", script]) == b"[]\n"


def test_document_is_json_for_later(cycletls_capture: CaptureServer, session: cycletls.CycleTLS) -> None:
    """What was seen can be kept."""
    with session:
        session.get(cycletls_capture.url)
    assert json.loads(cycletls_capture.document())["requests"] == 1
