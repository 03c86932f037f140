"""The examples run, and show what they promise."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import KEY, MakeFile, files_in
from indexedcp import IndexCPClient, IndexCPServer

EXAMPLES = Path(__file__).parent.parent / "examples"
RUN_HERE = {"client_basic", "client_errors", "client_streaming", "complete_demo"}
SERVERS = {"server_basic", "server_custom_filename", "server_simple"}


def run(name: str, *arguments: object) -> str:
    """Run an example; what it writes to stderr is a failure."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextmanager
def running(name: str, *arguments: object) -> Iterator[str]:
    """Run an example that serves; yield its URL, then interrupt it."""
    command = [sys.executable, "-u", str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_client_basic(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """It uploads the files that it is given."""
    path = make_file("a.txt", b"x" * 3_000_000)
    shown = run("client_basic", server.url, KEY, path)
    assert f"{path}: 3 chunks" in shown
    assert f"{path} is a.txt on the server" in shown
    assert files_in(out) == {"a.txt": b"x" * 3_000_000}


def test_client_errors(server: IndexCPServer, make_file: MakeFile) -> None:
    """It tells failures apart and keeps the file."""
    path = make_file("a.txt", b"x")
    shown = run("client_errors", server.url, path)
    assert "refused: " in shown
    assert "not reached: " in shown
    assert f"still in the buffer: ['{path}']" in shown


def test_client_streaming(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """It uploads without a buffer."""
    path = make_file("a.bin", os.urandom(150_000))
    assert run("client_streaming", server.url, KEY, path).count(" is in a.bin") == 3
    assert files_in(out) == {"a.bin": path.read_bytes()}


def test_complete_demo() -> None:
    """It shows that the bytes are the same."""
    assert run("complete_demo") == "the server listens\nthe same bytes: True\n"


def test_server_basic(client: IndexCPClient, out: Path, make_file: MakeFile) -> None:
    """It stores what is uploaded with its key."""
    client.api_key = "your-secure-api-key"
    with running("server_basic", out, 0) as url:
        client.buffer_and_upload(make_file("a.txt", b"abc"), url)
    assert files_in(out) == {"a.txt": b"abc"}


def test_server_custom_filename(client: IndexCPClient, out: Path, make_file: MakeFile) -> None:
    """It puts the day into the name."""
    client.api_key = "your-secure-api-key"
    with running("server_custom_filename", out, 0) as url:
        name = client.buffer_and_upload(make_file("a.txt", b"abc"), url)
    assert name in {f"a_{datetime.date.today() - datetime.timedelta(days):%Y-%m-%d}.txt" for days in (0, 1)}
    assert files_in(out) == {name: b"abc"}


def test_server_simple(client: IndexCPClient, tmp_path: Path, make_file: MakeFile) -> None:
    """It appends to one file."""
    with running("server_simple", tmp_path / "all.txt", 0) as url:
        client.buffer_and_upload(make_file("a.txt", b"abc"), url)
        client.buffer_and_upload(make_file("b.txt", b"def"), url)
    assert (tmp_path / "all.txt").read_bytes() == b"abcdef"


def test_examples_are_short_and_all_tested() -> None:
    """30 lines each at most, and none is forgotten here."""
    lengths = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths.keys() == RUN_HERE | SERVERS
    assert all(10 <= length <= 30 for length in lengths.values())
