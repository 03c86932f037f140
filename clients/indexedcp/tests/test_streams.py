"""Chunks of clients that know no ids, as the Node client sends them."""

from __future__ import annotations

import http.client
import itertools
import socket
from pathlib import Path

import pytest
from conftest import KEY, Post, files_in, request
from indexedcp import IndexCPServer, Limits

CHUNKS = [b"aaa", b"bbb", b"ccc", b"ddd"]


def test_answer_is_the_node_servers(post: Post) -> None:
    """The body has the Node server's keys in its order, its spacing, and the name as the client said it."""
    answer = post(b"x", 0, "./big.bin")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == (
        b'{"message":"Chunk received","actualFilename":"big.bin","chunkIndex":0,"clientFilename":"./big.bin"}'
    )


def test_chunks_are_visible_at_once(post: Post, out: Path) -> None:
    """Each chunk is in the file when it is acknowledged, because no other end will be told."""
    for index in range(4):
        post(CHUNKS[index], index)
        assert files_in(out) == {"f.bin": b"".join(CHUNKS[: index + 1])}


@pytest.mark.parametrize("order", [[0, 1, 1, 3, 2], [3, 2, 1, 0], [0, 0, 1, 2, 3, 3, 2], [1, 0, 3, 2, 1]])
def test_order_and_repetition(post: Post, out: Path, order: list[int]) -> None:
    """Whatever the order and however often, each chunk is in the file once, in its place."""
    for index in order:
        assert post(CHUNKS[index], index).status == 200
    assert files_in(out) == {"f.bin": b"".join(CHUNKS)}


def test_same_name_again_is_another_file(post: Post, out: Path) -> None:
    """A second upload of a name is never appended to the first."""
    for index in range(3):
        post(CHUNKS[index], index)
    names = [post(CHUNKS[index], index).document["actualFilename"] for index in range(3)]
    assert len(set(names)) == 1
    assert files_in(out) == {"f.bin": b"aaabbbccc", names[0]: b"aaabbbccc"}


def test_other_content_is_another_file(post: Post, out: Path) -> None:
    """A chunk 0 of other bytes begins another file, also where only one chunk had come."""
    post(b"old")
    name = post(b"new").document["actualFilename"]
    assert files_in(out) == {"f.bin": b"old", name: b"new"}


def test_two_clients_of_one_name(server: IndexCPServer, out: Path) -> None:
    """Two clients that send files of one name at the same time are told apart by their connections."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(2)]
    for index, (number, connection) in itertools.product(range(3), enumerate(connections)):
        data = b"%d-%d " % (number, index)
        assert request(server.port, data, index, connection=connection).status == 200
    for connection in connections:
        connection.close()
    assert sorted(files_in(out).values()) == [b"0-0 0-1 0-2 ", b"1-0 1-1 1-2 "]


def test_no_guess_mixes_two_files(post: Post, out: Path) -> None:
    """Where a chunk may belong to either of two uploads, it is refused."""
    post(b"one")
    post(b"two")
    assert post(b"more", 1).status == 409
    assert sorted(files_in(out).values()) == [b"one", b"two"]


def test_changed_chunk_is_refused(post: Post, out: Path) -> None:
    """A chunk that is there with other bytes is not overwritten."""
    post(b"one", 0)
    post(b"two", 1)
    assert post(b"TWO", 1).status == 409
    assert files_in(out) == {"f.bin": b"onetwo"}


def test_broken_chunk_leaves_nothing(server: IndexCPServer, out: Path, post: Post) -> None:
    """A body that breaks off is not in the file; the whole chunk afterwards is, once."""
    post(b"a" * 500)
    head = (
        f"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nX-Chunk-Index: 1\r\n"
        "X-File-Name: f.bin\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"b" * 400)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass
    assert files_in(out) == {"f.bin": b"a" * 500}
    post(b"b" * 1000, 1)
    assert files_in(out) == {"f.bin": b"a" * 500 + b"b" * 1000}
    assert [path.name for path in (out / ".indexcp").iterdir() if path.name.startswith("held")] == []


def test_restart_in_between(out: Path) -> None:
    """Another server on the same folder goes on with the same file, chunks that were ahead included."""
    for index in (0, 2, 1):
        with IndexCPServer(out, 0, KEY) as server:
            server.start()
            assert request(server.port, CHUNKS[index], index).status == 200
    assert files_in(out) == {"f.bin": b"aaabbbccc"}


def test_empty_file(post: Post, out: Path) -> None:
    """An empty chunk 0 makes an empty file."""
    assert post(b"", 0).status == 200
    assert files_in(out) == {"f.bin": b""}


def test_name_that_is_missing(post: Post, out: Path) -> None:
    """Without a name it is the Node server's."""
    post(b"x", 0, None)
    assert files_in(out) == {"uploaded_file.txt": b"x"}


@pytest.mark.parametrize("index", [None, "abc", "-1", "1.5", ""])
def test_index_that_is_none(post: Post, out: Path, index: str | None) -> None:
    """A chunk whose place is unknown is refused, and not stored anywhere."""
    assert post(b"x", index).status == 400
    assert files_in(out) == {}


def test_chunk_of_the_wrong_hash(post: Post, out: Path) -> None:
    """A plain client may tell a hash, too, and then it is checked."""
    assert post(b"x", headers={"X-Chunk-SHA256": "0" * 64}).status == 422
    assert files_in(out) == {}


def test_too_far_ahead(out: Path) -> None:
    """Chunks that wait for one that does not come are held up to a limit."""
    with IndexCPServer(out, 0, KEY, limits=Limits(max_held_bytes=6)) as server:
        server.start()
        statuses = [request(server.port, CHUNKS[index], index).status for index in (3, 2, 1)]
    assert statuses == [200, 200, 413]


def test_generator_is_asked_once_a_file(out: Path) -> None:
    """It sees the client's name, the chunk's index and the request, and its answer cannot leave the folder."""
    asked = []

    def generate(name: str, index: int, request: object) -> str:
        asked.append((name, index, request.headers["x-file-name"]))  # type: ignore[attr-defined]
        return f"../../{len(asked)}-{name}"

    with IndexCPServer(out, 0, KEY, generate) as server:
        server.start()
        for index in range(3):
            answer = request(server.port, CHUNKS[index], index, "a/f.bin")
            assert answer.document["actualFilename"] == "f.bin"
    assert asked == [("a/f.bin", 0, "a/f.bin")]
    assert files_in(out) == {"f.bin": b"aaabbbccc"}
