"""The client against servers that know no ids: a stand-in for the Node server, and the simple one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import pytest
from conftest import MakeFile, files_in, request
from indexedcp import (
    AmbiguousDelivery,
    AuthenticationFailed,
    FileSplit,
    IndexCPClient,
    UploadRefused,
    create_simple_server,
)
from node import KEY, Mode, NodeServer

import cycletls


@pytest.fixture
def node(out: Path) -> Iterator[NodeServer]:
    """The first version."""
    with NodeServer(out) as running:
        yield running


@pytest.fixture
def client(client: IndexCPClient) -> IndexCPClient:
    """A client with the stand-in's key."""
    client.api_key = KEY
    return client


@pytest.mark.parametrize("mode", ["first", "sanitize"])
def test_files_arrive(client: IndexCPClient, out: Path, make_file: MakeFile, mode: Mode) -> None:
    """Files of no, one and many chunks arrive, one chunk after the other, and the buffer is empty."""
    contents = {"none.bin": b"", "one.bin": b"x" * 1000, "many.bin": bytes(range(256)) * 50}
    paths = {str(make_file(name, data)): name for name, data in contents.items()}
    for path in paths:
        client.add_file(path)
    with NodeServer(out, mode) as node:
        assert client.upload_buffered_files(node.url) == paths
    assert files_in(out) == contents
    assert client.get_buffered_files() == []
    assert [seen["X-Chunk-Index"] for seen in node.seen] == ["0", "0", *map(str, range(13))]


def test_request_is_the_node_clients(client: IndexCPClient, node: NodeServer, make_file: MakeFile) -> None:
    """The headers that every server knows are there, and the name is no path."""
    client.buffer_and_upload(make_file("a.bin", b"abc"), node.url)
    expected = {
        "Content-Type": "application/octet-stream",
        "X-Chunk-Index": "0",
        "X-File-Name": "a.bin",
        "Authorization": f"Bearer {KEY}",
        "Content-Length": "3",
    }
    assert expected.items() <= node.seen[0].items()


def test_one_name_twice(client: IndexCPClient, node: NodeServer, out: Path, make_file: MakeFile) -> None:
    """Two files of one name do not become one, which a server that goes by names would make of them."""
    paths = [make_file("1/a.txt", b"one"), make_file("2/a.txt", b"two")]
    for path in paths:
        client.add_file(path)
    results = client.upload_buffered_files(node.url)
    assert [(out / results[str(path)]).read_bytes() for path in paths] == [b"one", b"two"]
    assert all(name.startswith("a_") and name.endswith(".txt") for name in results.values())


def test_wrong_key(client: IndexCPClient, node: NodeServer, make_file: MakeFile) -> None:
    """The answer is clear, and the chunk may be sent again with the right key."""
    client.add_file(make_file("a.bin", b"a"))
    client.api_key = "wrong"
    with pytest.raises(AuthenticationFailed):
        client.upload_buffered_files(node.url)
    client.api_key = KEY
    assert client.upload_buffered_files(node.url)


def test_refusal_stops_the_file_and_can_be_gone_on_with(
    client: IndexCPClient, node: NodeServer, out: Path, make_file: MakeFile
) -> None:
    """After an error that is clear, the next upload sends what was not stored, and nothing twice."""
    client.add_file(make_file("a.bin", bytes(range(250)) * 10))
    node.answer_with = [200, 400]
    with pytest.raises(UploadRefused, match="400 played"):
        client.upload_buffered_files(node.url)
    assert len(node.seen) == 1
    client.upload_buffered_files(node.url)
    assert files_in(out) == {"a.bin": bytes(range(250)) * 10}


@pytest.mark.parametrize("answer", [0, 500])
def test_doubt_is_told_and_not_guessed_away(
    client: IndexCPClient, node: NodeServer, out: Path, make_file: MakeFile, answer: int
) -> None:
    """A chunk that may have been stored is not sent again, in this run or the next, until the user says so."""
    client.add_file(make_file("a.bin", b"a" * 2500))
    node.answer_with = [200, answer]
    with pytest.raises(cycletls.RequestException):
        client.upload_buffered_files(node.url)
    with pytest.raises(AmbiguousDelivery, match=r"chunk 1 .* may have been stored"):
        client.upload_buffered_files(node.url)
    assert len(node.seen) == 1
    assert client.upload_buffered_files(node.url, resend=True)
    assert files_in(out) == {"a.bin": b"a" * 2500}


def test_server_that_was_not_reached_leaves_no_doubt(
    client: IndexCPClient, node: NodeServer, out: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk of which nothing was sent is sent by the next upload."""
    client.add_file(make_file("a.bin", b"a"))
    real = cycletls.CycleTLS.request

    def unreachable(session: cycletls.CycleTLS, method: str, url: str, **options: object) -> cycletls.Response:
        if method == "POST":
            raise cycletls.ConnectError("nobody is there", detail={"delivery": "unsent"})
        return real(session, method, url, **options)  # type: ignore[arg-type]  # as it came

    with monkeypatch.context() as patched:
        patched.setattr(cycletls.CycleTLS, "request", unreachable)
        with pytest.raises(cycletls.ConnectError):
            client.upload_buffered_files(node.url)
    assert client.upload_buffered_files(node.url)
    assert files_in(out) == {"a.bin": b"a"}


def test_server_that_splits_files(client: IndexCPClient, out: Path, make_file: MakeFile) -> None:
    """A server that makes a file of each chunk is found out; one chunk is no harm."""
    with NodeServer(out, "ignore") as node:
        assert client.buffer_and_upload(make_file("small.bin", b"x"), node.url) == "1_small.bin"
        client.add_file(make_file("large.bin", b"x" * 2500))
        with pytest.raises(FileSplit, match=r"2_large.bin, then into 3_large.bin"):
            client.upload_buffered_files(node.url)


@pytest.fixture
def simple(out: Path) -> Iterator[HTTPServer]:
    """The simple server."""
    out.mkdir()
    with create_simple_server(out / "all.bin", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_simple_server_appends(client: IndexCPClient, simple: HTTPServer, out: Path, make_file: MakeFile) -> None:
    """It asks for no key, says what the Node one says, and puts all into one file."""
    answer = request(simple.server_port, b"first ", key=None)
    assert (answer.status, answer.body) == (200, b"Chunk received\n")
    client.buffer_and_upload(make_file("a.bin", b"second"), f"http://127.0.0.1:{simple.server_port}/upload")
    assert files_in(out) == {"all.bin": b"first second"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/upload"), ("POST", "/upload?x")])
def test_simple_server_has_nothing_else(simple: HTTPServer, method: str, path: str) -> None:
    """All else is an empty 404."""
    answer = request(simple.server_port, b"", method=method, path=path)
    assert (answer.status, answer.body) == (404, b"")


def test_simple_server_is_limited(simple: HTTPServer, out: Path) -> None:
    """It refuses bodies that are too large, before it reads them."""
    assert request(simple.server_port, None, headers={"Content-Length": str(1 << 30)}).status == 413
    assert files_in(out) == {"all.bin": b""}


def test_simple_server_is_on_loopback(simple: HTTPServer) -> None:
    """Nobody else reaches it, since it asks for no key."""
    assert simple.server_address[0] == "127.0.0.1"
