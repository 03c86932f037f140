"""The examples run, against local servers, and show what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Certificates, Peer, ScriptedServer

EXAMPLES = Path(__file__).parent.parent / "examples"
SHOWN = {
    "asyncio_tasks": "given up after half a second; the session goes on: 200",
    "cancel": "cancelled after 0.",
    "capture": "the server saw x-first before x-second",
    "cookies": "the server sees: {'theme': 'dark', 'visit': '1'}",
    "download": "image.png: 8090 bytes, as the last step says: True",
    "errors": "not sent at all:",
    "events": "after the first: ['2 of 3', '3 of 3']",
    "get": "query the server saw: {'page': ['1', '2'], 'q': 'ü'}",
    "headers": "  X-Second: 1\n  x-first: 2\n  X-Second: 3\n",
    "interrupt": "interrupted after 0.",
    "json_and_forms": "form: {'colour': ['red', 'blue'], 'size': '9'} as application/x-www-form-urlencoded",
    "profiles": "Firefox/",
    "proxy": "refused: http://127.0.0.1:1",
    "redirects": "302 -> ",
    "session": "same connection: True",
    "sidecar": "through a sidecar: 200\nin the child, headers kept: yes",
    "stream": "lines, one by one: 20\nonly the first: 1000 bytes of 100000",
    "stream_upload": "lines that arrived: 1000",
    "threads": "answers: True",
    "tls": "refused:",
    "upload": "file arrived: 24000 characters",
    "websocket": "received: ['message 0', 'message 1', 'message 2']",
}


def run(name: str, *arguments: str, **environment: str) -> str:
    """Run an example as a user would; what it writes to stderr is a failure."""
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", SHOWN)
def test_example_shows_what_it_promises(name: str, httpbin_h2: str, certificates: Certificates) -> None:
    """Each example prints its point when it talks HTTP/2 to a server of the test authority, beside a proxy."""
    with ScriptedServer(lambda peer: leading_to(httpbin_h2, peer)) as proxy:
        shown = run(name, httpbin_h2, proxy.url, SSL_CERT_FILE=str(certificates.authority), PYTHONIOENCODING="utf-8")
    assert SHOWN[name] in shown


def leading_to(origin: str, peer: Peer) -> None:
    """Play a proxy with one way to lead."""
    peer.read_head()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    peer.relay(int(origin.rpartition(":")[2]))


def test_demo_shows_every_transport() -> None:
    """The demo brings its own servers and ends well."""
    shown = run("demo", PYTHONPATH=str(Path(__file__).parent), PYTHONIOENCODING="utf-8")
    assert {"HTTP/1.1", "HTTP/2"} <= set(shown.split())


def test_examples_are_short_and_all_tested() -> None:
    """30 lines each at most, and none is forgotten here."""
    lengths = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths.pop("demo") <= 70
    assert lengths.keys() == SHOWN.keys()
    assert max(lengths.values()) <= 30
