"""Chunks of files that are known as a whole, as our client sends them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Answer, files_in, request
from indexedcp import IndexCPServer, Limits
from indexedcp._wire import ChunkHead, Layout, Whole

DATA = bytes(range(256)) * 10
ID = "0123456789abcdef" * 2


class Upload:
    """An upload, whose chunks can be sent in any way.

    Args:
        port: the server's.
        data: the file.
        chunk_size: bytes of a chunk.
        upload_id: its id.
    """

    def __init__(self, port: int, data: bytes = DATA, chunk_size: int = 1000, upload_id: str = ID) -> None:
        self.port, self.data, self.id = port, data, upload_id
        self.layout = Layout(len(data), chunk_size)
        self.whole = Whole(self.layout, hashlib.sha256(data).hexdigest())

    def head(self, index: int, skip: int = 0) -> ChunkHead:
        """The headers of a chunk."""
        return ChunkHead("f.bin", index, self.id, hashlib.sha256(self.chunk(index)).hexdigest(), skip, self.whole)

    def chunk(self, index: int) -> bytes:
        """The bytes of a chunk."""
        return self.data[self.layout.start(index) :][: self.layout.length(index)]

    def send(self, index: int, skip: int = 0, body: bytes | None = None, **headers: str) -> Answer:
        """Send a chunk, or something else in its place."""
        said = {
            **self.head(index, skip).headers(),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return request(self.port, self.chunk(index)[skip:] if body is None else body, None, None, headers=said)

    def break_off(self, index: int, sent: int) -> None:
        """Send the first bytes of a chunk, and go away."""
        headers = {**self.head(index).headers(), "Authorization": f"Bearer {KEY}", "Host": "x"}
        headers["Content-Length"] = str(self.layout.length(index))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(f"POST /upload HTTP/1.1\r\n{lines}\r\n".encode() + self.chunk(index)[:sent])
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while connection.recv(1000):
                    pass

    def status(self) -> Any:
        """What the server says that it has."""
        return request(self.port, None, None, None, method="GET", path=f"/upload/status?id={self.id}").document


@pytest.fixture
def upload(server: IndexCPServer) -> Upload:
    """An upload to the server."""
    return Upload(server.port)


def test_nothing_is_seen_before_all_is_there(upload: Upload, out: Path) -> None:
    """The file appears with its last chunk, whichever that is, and the answer says so."""
    for index in (2, 0):
        answer = upload.send(index)
        assert (answer.status, answer.headers["X-Upload-State"]) == (200, "open")
        assert files_in(out) == {}
    assert upload.status() == {"state": "open", "received": [[0, 0], [2, 2]], "partial": {}, "actualFilename": "f.bin"}
    assert upload.send(1).headers["X-Upload-State"] == "complete"
    assert files_in(out) == {"f.bin": DATA}
    assert upload.status()["state"] == "complete"
    assert [path.name for path in (out / ".indexcp").iterdir() if path.suffix == ".part"] == []


def test_answer_to_a_chunk_is_every_servers(upload: Upload) -> None:
    """Clients that look at the body see what the Node server says."""
    body = b'{"message":"Chunk received","actualFilename":"f.bin","chunkIndex":2,"clientFilename":"f.bin"}'
    assert upload.send(2).body == body


def test_repeated_chunks_change_nothing(upload: Upload, out: Path) -> None:
    """A chunk that comes again is acknowledged again, before and after the file is complete."""
    for index in (0, 0, 1, 2, 1, 0):
        assert upload.send(index).status == 200
    assert files_in(out) == {"f.bin": DATA}


def test_spoilt_chunk_is_not_acknowledged(upload: Upload, out: Path) -> None:
    """A chunk of another hash is refused and counts for nothing, also when it follows a good beginning."""
    assert upload.send(0, body=b"x" * 1000).status == 422
    upload.break_off(0, 500)
    assert upload.send(0, 500, b"x" * 500).status == 422
    assert upload.status()["received"] == []
    assert upload.status()["partial"] == {}
    for index in range(3):
        upload.send(index)
    assert files_in(out) == {"f.bin": DATA}


def test_wrong_hash_of_the_file_is_never_published(server: IndexCPServer, out: Path) -> None:
    """Chunks that are each right and do not make the file are all taken back."""
    upload = Upload(server.port)
    upload.whole = Whole(upload.layout, "0" * 64)
    assert [upload.send(index).status for index in range(3)] == [200, 200, 422]
    assert upload.status()["received"] == []
    assert files_in(out) == {}


def test_broken_chunk_goes_on_where_it_broke(upload: Upload, out: Path) -> None:
    """What has arrived of a chunk is kept, and the rest of it is enough."""
    upload.break_off(0, 600)
    assert upload.status()["partial"] == {"0": 600}
    assert upload.send(0, 600).status == 200
    for index in (1, 2):
        upload.send(index)
    assert files_in(out) == {"f.bin": DATA}


@pytest.mark.parametrize("length", [0, 399, 401, 1000])
def test_rest_of_the_wrong_length(upload: Upload, length: int) -> None:
    """A body that does not fill its chunk is refused before it is read."""
    upload.break_off(0, 600)
    assert upload.send(0, 600, bytes(length)).status == 400
    assert upload.status()["partial"] == {"0": 600}


def test_rest_without_a_beginning(upload: Upload) -> None:
    """A chunk whose beginning has not arrived cannot be gone on with."""
    assert upload.send(0, 600).status == 409


def test_other_chunk_of_the_same_index(upload: Upload) -> None:
    """A chunk that is there is not replaced by one of another hash."""
    upload.send(0)
    other = b"x" * 1000
    assert upload.send(0, body=other, X_Chunk_SHA256=hashlib.sha256(other).hexdigest()).status == 409


def test_other_file_of_the_same_id(upload: Upload) -> None:
    """An id belongs to one file."""
    upload.send(0)
    assert Upload(upload.port, DATA + b"more").send(0).status == 409


def test_two_clients_on_one_upload(upload: Upload, out: Path) -> None:
    """A second sender of a chunk takes it over from one that stands still, which is told."""
    headers = {**upload.head(0).headers(), "Authorization": f"Bearer {KEY}", "Host": "x", "Content-Length": "1000"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", upload.port), timeout=20) as stalled:
        stalled.sendall(f"POST /upload HTTP/1.1\r\n{lines}\r\n".encode() + upload.chunk(0)[:300])
        for index in range(3):
            assert upload.send(index).status == 200
        stalled.sendall(b"y" * 300)
        answer = stalled.recv(1000)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 409", b"HTTP/1.1 200"))
    assert files_in(out) == {"f.bin": DATA}


def test_restart_keeps_what_was_acknowledged(out: Path) -> None:
    """Another server on the same folder has every chunk, and the beginning of the one that broke off."""
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        upload = Upload(server.port)
        upload.send(1)
        upload.break_off(2, 100)
        before = upload.status()
    with IndexCPServer(out, 0, "another key") as server:
        server.start()
        status = request(server.port, None, None, None, method="GET", path=f"/upload/status?id={ID}", key="another key")
        assert status.document == before
    assert before["received"] == [[1, 1]]
    assert before["partial"] == {"2": 100}


def test_damaged_part_is_noticed(out: Path) -> None:
    """A chunk whose bytes have changed while no server ran does not count."""
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        upload = Upload(server.port)
        upload.send(0)
        upload.send(1)
    with (out / ".indexcp" / f"{ID}.part").open("r+b") as part:
        part.seek(1500)
        part.write(b"damage")
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        assert Upload(server.port).status()["received"] == [[0, 0]]


def test_lost_part_begins_anew(out: Path) -> None:
    """An upload whose part is gone is known, and empty."""
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        Upload(server.port).send(0)
    (out / ".indexcp" / f"{ID}.part").unlink()
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        upload = Upload(server.port)
        assert upload.status()["received"] == []
        for index in range(3):
            upload.send(index)
    assert files_in(out) == {"f.bin": DATA}


def test_name_that_is_taken_meanwhile(upload: Upload, out: Path) -> None:
    """A file that somebody puts where an upload was to go stays, and the upload gets another name."""
    upload.send(0)
    (out / "f.bin").write_bytes(b"mine")
    upload.send(1)
    name = upload.send(2).document["actualFilename"]
    assert files_in(out) == {"f.bin": b"mine", name: DATA}


@contextlib.contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, function: str, error: int, calls: int = 1) -> Iterator[list[str]]:
    """Let a function of os fail a number of times on files of uploads."""
    real, failures = getattr(os, function), list[str]()

    def fail(*arguments: Any, **named: Any) -> Any:
        if len(failures) < calls:
            failures.append(function)
            raise OSError(error, os.strerror(error))
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, function, fail)
        yield failures


@pytest.mark.parametrize(
    ("function", "error", "status"),
    [
        ("pwrite", errno.ENOSPC, 507),
        ("pwrite", errno.EDQUOT, 507),
        ("pwrite", errno.EIO, 500),
        ("fdatasync", errno.EIO, 500),
        ("fdatasync", errno.ENOSPC, 507),
    ],
)
def test_disk_that_fails(
    upload: Upload, out: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: int, status: int
) -> None:
    """A chunk that is not on disk is not acknowledged, and is stored when the disk works again."""
    upload.send(0)
    with failing(monkeypatch, function, error) as failures:
        assert upload.send(1).status == status
    assert failures == [function]
    assert upload.status()["received"] == [[0, 0]]
    assert upload.status()["partial"] == {}
    for index in (1, 2):
        assert upload.send(index).status == 200
    assert files_in(out) == {"f.bin": DATA}


def test_answer_to_a_large_chunk_that_fails(server: IndexCPServer, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a body that cannot be stored is read, so that its client sees why, and the connection goes on."""
    upload = Upload(server.port, os.urandom(3 << 20), 3 << 20)
    headers = {**upload.head(0).headers(), "Authorization": f"Bearer {KEY}"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with failing(monkeypatch, "pwrite", errno.ENOSPC):
        assert request(server.port, upload.data, None, None, headers=headers, connection=connection).status == 507
    assert request(server.port, upload.data, None, None, headers=headers, connection=connection).status == 200
    connection.close()
    assert files_in(out) == {"f.bin": upload.data}


@pytest.mark.parametrize(("function", "error"), [("link", errno.EACCES), ("fsync", errno.EIO), ("unlink", errno.EROFS)])
def test_publishing_that_fails(
    upload: Upload, out: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: int
) -> None:
    """A file that cannot be published is published by the next try, which needs none of its bytes."""
    for index in (0, 1):
        upload.send(index)
    with failing(monkeypatch, function, error):
        assert upload.send(2).status == 500
    assert upload.send(2, 560, b"").headers["X-Upload-State"] == "complete"
    assert files_in(out) == {"f.bin": DATA}


def test_folder_without_links(upload: Upload, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no links, a file is published all the same."""
    with failing(monkeypatch, "link", errno.EPERM):
        assert [upload.send(index).status for index in range(3)] == [200, 200, 200]
    assert files_in(out) == {"f.bin": DATA}


def test_limits_of_a_file(out: Path) -> None:
    """A file that is too large, and one of too many chunks, are refused with the first chunk."""
    with IndexCPServer(out, 0, KEY, limits=Limits(max_file_bytes=2000, max_chunks=10)) as server:
        server.start()
        assert Upload(server.port).send(0).status == 413
        assert Upload(server.port, bytes(100), 1).send(0).status == 413
        assert Upload(server.port, bytes(2000)).send(0).status == 200


def test_abandoned_uploads_are_limited_and_forgotten(out: Path) -> None:
    """Only so many uploads may be unfinished, and what nobody goes on with makes room."""
    limits = Limits(max_unfinished=3)
    with IndexCPServer(out, 0, KEY, limits=limits) as server:
        server.start()
        uploads = [Upload(server.port, upload_id=f"{number:032x}") for number in range(4)]
        answers = [upload.send(0) for upload in uploads]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
    for part in (out / ".indexcp").glob("*.part"):
        os.utime(part, (1, 1))
    with IndexCPServer(out, 0, KEY, limits=Limits(max_unfinished=3, expire_after=1e-9)) as server:
        server.start()
        assert Upload(server.port, upload_id=f"{9:032x}").send(0).status == 200
    assert [part.name for part in (out / ".indexcp").glob("*.part")] == [f"{9:032x}.part"]


def test_many_uploads_at_once(out: Path) -> None:
    """More uploads than are kept open are each gone on with."""
    with IndexCPServer(out, 0, KEY) as server:
        server.start()
        uploads = [Upload(server.port, bytes([number]) * 3, 2, f"{number:032x}") for number in range(80)]
        for index in range(2):
            assert {upload.send(index).status for upload in uploads} == {200}
    assert sorted(files_in(out).values()) == sorted(bytes([number]) * 3 for number in range(80))


def test_unknown_upload(server: IndexCPServer) -> None:
    """An upload that nobody has begun is not known."""
    answer = request(server.port, None, None, None, method="GET", path="/upload/status?id=nothing")
    assert (answer.status, answer.document) == (404, {"error": "Unknown upload"})
