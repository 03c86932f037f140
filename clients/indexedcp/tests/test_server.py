"""The server's life, who gets in, and how much one may ask."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import KEY, Post, files_in, request
from indexedcp import FolderInUse, IndexCPClient, IndexCPServer, Limits


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 3000 of loopback, the current directory, and a key of 64 hexadecimal digits that is another each time."""
    monkeypatch.chdir(tmp_path)
    server = IndexCPServer()
    assert (server.port, server.host, server.output_dir) == (3000, "127.0.0.1", tmp_path)
    assert re.fullmatch("[0-9a-f]{64}", server.api_key)
    assert server.api_key != IndexCPServer().api_key != server.generate_api_key()


def test_listen_blocks_until_closed(out: Path) -> None:
    """``listen`` serves in its thread, calls back when it does, and ends with ``close``."""
    server = IndexCPServer(out, 1, KEY)
    begun = threading.Event()
    thread = threading.Thread(target=server.listen, args=(0, begun.set))
    thread.start()
    assert begun.wait(20)
    assert server.port > 1
    assert request(server.port, b"x").status == 200
    server.close()
    thread.join(20)
    assert not thread.is_alive()


def test_start_calls_back_and_can_be_repeated(out: Path) -> None:
    """A server that was closed can be started again, and goes on with what it has."""
    called: list[int] = []
    server = IndexCPServer(out, 0, KEY)
    for _ in range(2):
        server.start(lambda: called.append(server.port))
        assert request(server.port, b"x").status == 200
        server.close()
        server.close()
    assert called == [server.port] * 2
    assert files_in(out) == {"f.bin": b"x"}


def test_running_server_is_not_started_again(server: IndexCPServer) -> None:
    """One object is one server."""
    with pytest.raises(RuntimeError, match="running"):
        server.start()


def test_port_that_is_taken(server: IndexCPServer, tmp_path: Path) -> None:
    """``start`` raises what is wrong, in the caller's thread."""
    with pytest.raises(OSError, match="in use"):
        IndexCPServer(tmp_path / "other", server.port, KEY).start()


def test_folder_that_is_taken(server: IndexCPServer, out: Path) -> None:
    """Two servers never write to one folder."""
    with pytest.raises(FolderInUse):
        IndexCPServer(out, 0, KEY).start()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A path that is a file is no folder."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        IndexCPServer(tmp_path / "file", 0, KEY).start()


def test_planted_state_folder(out: Path, tmp_path: Path) -> None:
    """A link in the place of the server's own folder is not followed."""
    out.mkdir()
    (tmp_path / "outside").mkdir()
    (out / ".indexcp").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"\.indexcp"):
        IndexCPServer(out, 0, KEY).start()
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "bearer " + KEY, "Basic " + KEY, "Bearer x"])
def test_nobody_without_the_key(server: IndexCPServer, out: Path, authorization: str | None) -> None:
    """Uploads and questions need the key, scheme and all, and get the Node server's answer."""
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("POST", "/upload"), ("GET", "/upload/status?id=" + "0" * 32)):
        answer = request(server.port, b"x", method=method, path=path, key=None, headers=headers)
        assert (answer.status, answer.body) == (401, b'{"error":"Invalid or missing API key"}')
    assert files_in(out) == {}


@pytest.mark.parametrize(("method", "path"), [("GET", "/upload"), ("POST", "/"), ("GET", "/"), ("PUT", "/upload")])
def test_nothing_else_is_found(server: IndexCPServer, method: str, path: str) -> None:
    """There is nothing but uploads, and the answer is the Node server's."""
    answer = request(server.port, None, method=method, path=path)
    assert (answer.status, answer.body) == (404, b"Not Found")


def test_guessing_keys_is_slow(out: Path) -> None:
    """After some wrong keys an address waits, with whatever key."""
    with IndexCPServer(out, 0, KEY, limits=Limits(wrong_keys_per_minute=3)) as server:
        server.start()
        statuses = [request(server.port, b"x", key=f"guess {number}").status for number in range(5)]
        answer = request(server.port, b"x")
    assert statuses == [401, 401, 401, 429, 429]
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 20


def test_requests_are_limited(out: Path) -> None:
    """An address that asks too often is told when to ask again."""
    with IndexCPServer(out, 0, KEY, limits=Limits(requests_per_second=0.1, burst=2)) as server:
        server.start()
        answers = [request(server.port, b"x", index) for index in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) in range(1, 11)


@pytest.mark.parametrize("chunked", [False, True])
def test_chunk_that_is_too_large(out: Path, chunked: bool) -> None:
    """It is refused by its announced length, or when it gets longer, and nothing of it is stored."""
    with IndexCPServer(out, 0, KEY, limits=Limits(max_chunk_bytes=1000)) as server:
        server.start()
        assert request(server.port, bytes(1000), 0).status == 200
        if chunked:
            head = f"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nX-Chunk-Index: 1\r\n"
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
                connection.sendall(f"{head}X-File-Name: f.bin\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                connection.sendall(b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n")
                assert connection.recv(1000).startswith(b"HTTP/1.1 413")
        else:
            assert request(server.port, bytes(1001), 1).status == 413
    assert files_in(out) == {"f.bin": bytes(1000)}


def answers(server: IndexCPServer, *parts: bytes) -> list[bytes]:
    """The status lines of the answers to what is sent on one connection, each part after something has come back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        received = b""
        for part in parts:
            connection.sendall(part)
            received += connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            received += data
    return re.findall(rb"HTTP/1.1 (\d+)", received)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_answers_do_not_wait(out: Path, monkeypatch: pytest.MonkeyPatch, loop: str) -> None:
    """No answer waits for the client's delayed acknowledgement (40 ms) of its first half, whatever the event loop."""
    if loop == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        started = time.monotonic()
        for _ in range(50):
            request(server.port, None, method="GET", path="/upload/status?id=none", connection=connection)
        assert time.monotonic() - started < 50 * 0.02
        connection.close()


def test_requests_behind_one_another(server: IndexCPServer, out: Path) -> None:
    """The next request begins where the body of the one before it ends, however large that is."""
    bodies = [bytes([number]) * size for number, size in enumerate((1 << 20, 3, 300_000, 0, 70_000))]
    sent = b"".join(
        UPLOAD.replace(b"Index: 0", b"Index: %d" % number) + b"Content-Length: %d\r\n\r\n" % len(body) + body
        for number, body in enumerate(bodies)
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        sending = threading.Thread(target=connection.sendall, args=(sent,))
        sending.start()
        received = b""
        while received.count(b"HTTP/1.1 200") < len(bodies):
            data = connection.recv(65536)
            assert data
            received += data
        sending.join()
    assert files_in(out) == {"uploaded_file.txt": b"".join(bodies)}


def test_bodies_that_are_announced_otherwise(server: IndexCPServer, out: Path) -> None:
    """A client may ask whether to go on, and need not say how long a body is."""
    assert answers(server, UPLOAD + b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n", b"x" * 100_000) == [
        b"100",
        b"200",
    ]
    chunked = UPLOAD.replace(b"Index: 0", b"Index: 1") + b"Transfer-Encoding: chunked\r\n\r\n"
    assert answers(server, chunked + b"186a0\r\n" + b"y" * 100_000 + b"\r\n0\r\n\r\n") == [b"200"]
    assert files_in(out) == {"uploaded_file.txt": b"x" * 100_000 + b"y" * 100_000}


def test_many_bodies_at_once(server: IndexCPServer, out: Path) -> None:
    """Bodies that drip in, more of them than there are threads, stop nobody."""
    dripping = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    for number, connection in enumerate(dripping):
        connection.sendall(UPLOAD + b"X-File-Name: %d\r\nContent-Length: 1000\r\n\r\n" % number)
    for _ in range(99):
        for connection in dripping:
            connection.sendall(b"x" * 10)
    assert request(server.port, b"x" * 100_000, 0, "whole").status == 200
    for connection in dripping:
        connection.sendall(b"x" * 10)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.close()
    assert files_in(out) == {"whole": b"x" * 100_000, **{str(number): b"x" * 1000 for number in range(100)}}


def test_closing_in_the_middle_of_a_body(out: Path) -> None:
    """A server that is closed does not wait for ever for a body that goes on and on."""
    server = IndexCPServer(out, 0, KEY)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(UPLOAD + b"Content-Length: 60000000\r\n\r\nabc")
        stop = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.01):
                    connection.sendall(b"x" * 10_000)

        dripping = threading.Thread(target=drip)
        dripping.start()
        server.close()
        stop.set()
        dripping.join()
    assert files_in(out) == {}


def cut_off_after(server: IndexCPServer, sent: bytes, drip: bytes = b"") -> float:
    """The seconds after which the server hangs up on who sends this, and then a byte now and then."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        started = time.monotonic()
        connection.sendall(sent)
        connection.settimeout(0.1)
        while time.monotonic() - started < 20:
            try:
                if drip:
                    connection.sendall(drip)
                if not connection.recv(1000):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - started


UPLOAD = f"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nX-Chunk-Index: 0\r\n".encode()


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b""),
        (b"POST /upl", b""),
        (b"POST /upload HTTP/1.1\r\nX-A: ", b"a"),
        (UPLOAD + b"Content-Length: 1000\r\n\r\nabc", b""),
        (UPLOAD + b"Content-Length: 100000\r\n\r\nabc", b"a"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    ],
    ids=["nothing", "half a line", "endless head", "half a body", "slow body", "idle"],
)
def test_slow_clients_are_cut_off(out: Path, sent: bytes, drip: bytes) -> None:
    """A client that holds a connection without using it loses it, however it does that."""
    limits = Limits(head_timeout=0.5, idle_timeout=0.5, min_bytes_per_second=1000, keep_alive=1)
    with IndexCPServer(out, 0, KEY, limits=limits) as server:
        server.start()
        assert 0.3 < cut_off_after(server, sent, drip) < 6
    assert files_in(out) == {}


def test_slow_client_does_not_stop_others(out: Path) -> None:
    """While many clients send nothing, another one is served."""
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        for connection in idle:
            connection.sendall(UPLOAD + b"Content-Length: 1000\r\n\r\n")
        assert request(server.port, b"x").status == 200
        for connection in idle:
            connection.close()


def test_key_is_never_logged(out: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a right nor a wrong key is seen in logs, on the terminal or in answers."""
    with caplog.at_level(logging.DEBUG), IndexCPServer(out, 0, "the-secret") as server:
        server.start()
        answers = [request(server.port, b"x", key=key) for key in ("the-secret", "wrong-secret")]
    shown = caplog.text + "".join(capfd.readouterr()) + repr(answers)
    assert "secret" not in shown


def test_key_rotation_in_the_middle(out: Path, client: IndexCPClient, make_file: object) -> None:
    """An upload that was begun with one key is gone on with under the next."""
    assert callable(make_file)
    client.add_file(make_file("a.bin", b"a" * 3000))
    (file,) = client.buffered()
    with IndexCPServer(out, 0, "old") as server:
        server.start()
        client.api_key = "old"
        client.upload_buffered_files(server.url)
        client.add_file(make_file("b.bin", b"b" * 3000))
    with IndexCPServer(out, 0, "new") as server:
        server.start()
        client.api_key = "new"
        client.upload_buffered_files(server.url)
    assert file.layout.count == 3
    assert files_in(out) == {"a.bin": b"a" * 3000, "b.bin": b"b" * 3000}


def test_generator_that_fails(out: Path) -> None:
    """A generator's exception is that request's alone."""

    def generate(name: str, index: int, request: object) -> str:
        if name == "bad":
            raise RuntimeError("no name for this one")
        return name

    with IndexCPServer(out, 0, KEY, generate) as server:
        server.start()
        assert request(server.port, b"x", 0, "bad").status == 500
        assert request(server.port, b"x", 0, "good").status == 200
    assert files_in(out) == {"good": b"x"}


def test_names_of_folders(out: Path, post: Post) -> None:
    """A name that a folder has is not written to, and kills nobody."""
    (out / "folder").mkdir()
    name = post(b"x", 0, "folder").document["actualFilename"]
    assert files_in(out) == {name: b"x"}
    assert os.listdir(out / "folder") == []
