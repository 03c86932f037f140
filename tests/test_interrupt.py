"""Ctrl-C and other signals while the main thread waits in Go."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from servers import Peer, ScriptedServer

import cycletls

ROOT = Path(cycletls.__file__).parent.parent
PATIENCE = 20.0  # seconds for what must happen at once, on a busy machine


class Silent:
    """A script of a server that takes a request, answers only a part, and notes when the client hangs up."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.asked = threading.Event()
        self.left = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.read_head()
        peer.send(self.answer)
        self.asked.set()
        peer.await_end()
        self.left.set()


def start(script: str, url: str) -> subprocess.Popen[str]:
    """Run a script in a Python of its own that obeys SIGINT."""
    preamble = "import signal, sys, time, cycletls\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    return subprocess.Popen(
        [sys.executable, "-c", preamble + textwrap.dedent(script), url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


WAITS = {
    "for the head": b"",
    "in the head": b"HTTP/1.1 200 OK\r\nX: ",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
    "in a large body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n12345",
    "in a chunked body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
}


@pytest.mark.parametrize("answer", WAITS.values(), ids=WAITS.keys())
def test_ctrl_c_ends_a_wait_and_hangs_up(answer: bytes) -> None:
    """KeyboardInterrupt comes out of a blocking call within 100 ms, and the server sees the connection go."""
    server = Silent(answer)
    script = """
        try:
            cycletls.get(sys.argv[1])
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
            sys.stdin.read()
    """
    with ScriptedServer(server) as running, start(script, running.url) as process:
        assert server.asked.wait(PATIENCE)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        ended = float(process.stdout.readline() or "nan")
        assert ended - sent < 0.1
        assert server.left.wait(PATIENCE), "the process still holds the connection"
        process.communicate("")
    assert process.returncode == 0


def test_ctrl_c_leaves_other_threads_alone(httpbin: str) -> None:
    """Only the main thread's exchange is cancelled."""
    server = Silent()
    script = f"""
        import threading
        answers = []
        other = threading.Thread(target=lambda: answers.append(cycletls.get("{httpbin}/delay/2").status_code))
        other.start()
        try:
            cycletls.get(sys.argv[1])
        except KeyboardInterrupt:
            other.join()
            print(answers)
    """
    with ScriptedServer(server) as running, start(script, running.url) as process:
        assert server.asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "[200]\n"


def test_handler_that_does_not_raise_lets_the_wait_go_on() -> None:
    """A signal handler runs while the main thread waits, and the answer still arrives."""
    asked, handled = threading.Event(), threading.Event()

    def answer_after_the_signal(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        assert handled.wait(PATIENCE)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    script = """
        signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
        print(cycletls.get(sys.argv[1]).text)
    """
    with ScriptedServer(answer_after_the_signal) as running, start(script, running.url) as process:
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGUSR1)
        assert process.stdout is not None
        assert process.stdout.readline() == "handled\n"
        handled.set()
        assert process.communicate(timeout=PATIENCE)[0] == "ok\n"


def test_handler_may_make_requests_of_its_own(httpbin: str) -> None:
    """A request inside a signal handler neither disturbs nor is disturbed by the one that it interrupts."""
    asked, handled = threading.Event(), threading.Event()

    def answer_after_the_signal(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        assert handled.wait(PATIENCE)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nouter")

    script = f"""
        signal.signal(signal.SIGUSR1, lambda *_: print(cycletls.get("{httpbin}/status/204").status_code, flush=True))
        print(cycletls.get(sys.argv[1]).text)
    """
    with ScriptedServer(answer_after_the_signal) as running, start(script, running.url) as process:
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGUSR1)
        assert process.stdout is not None
        assert process.stdout.readline() == "204\n"
        handled.set()
        assert process.communicate(timeout=PATIENCE)[0] == "outer\n"


def test_ctrl_c_during_an_upload_ends_it() -> None:
    """A body that the server does not take is given up on Ctrl-C."""
    asked, left = threading.Event(), threading.Event()

    def take_nothing(peer: Peer) -> None:
        peer.read_head()
        asked.set()
        assert left.wait(PATIENCE)

    script = """
        def pieces():
            while True:
                yield bytes(1 << 20)
        try:
            cycletls.post(sys.argv[1], data=pieces())
        except KeyboardInterrupt:
            print("interrupted")
    """
    with ScriptedServer(take_nothing) as running, start(script, running.url) as process:
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "interrupted\n"
        left.set()
