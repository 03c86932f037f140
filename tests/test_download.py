"""Downloads: a file is there when it is whole, and what an interrupted one has left is gone on with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Peer, ScriptedServer

import cycletls
from cycletls import AsyncCycleTLS, CycleTLS

BODY = bytes(range(256)) * 400


class Files:
    """Plays a server of one file, which breaks off once, and notes what was asked for.

    Args:
        tag: the file's entity tag.
        breaks: bytes after which the first answer breaks off.
        ranges: whether it answers with parts.
    """

    def __init__(self, tag: str = '"1"', breaks: int | None = None, ranges: bool = True) -> None:
        self.body, self.tag, self.breaks, self.ranges = BODY, tag, breaks, ranges
        self.asked: list[str | None] = []

    def __call__(self, peer: Peer) -> None:
        while head := peer.read_head().decode():
            asked = re.search(r"(?i)^range: bytes=(\d+)-", head, re.MULTILINE)
            guard = re.search(r"(?i)^if-range: (.*)\r", head, re.MULTILINE)
            self.asked.append(asked and asked[1])
            start = int(asked[1]) if asked and self.ranges and guard and guard[1] == self.tag else 0
            status = "206 Partial Content" if start else "200 OK"
            peer.send(
                f"HTTP/1.1 {status}\r\nETag: {self.tag}\r\nContent-Length: {len(self.body) - start}\r\n"
                f"Content-Range: bytes {start}-{len(self.body) - 1}/{len(self.body)}\r\n\r\n".encode()
            )
            if self.breaks is not None:
                end, self.breaks = self.breaks, None
                peer.send(self.body[start:end])
                return
            peer.send(self.body[start:])


@pytest.fixture(params=["thread", "loop"])
def download(request: pytest.FixtureRequest) -> Callable[..., cycletls.Response]:
    """The method, in each colour."""
    if request.param == "thread":
        return CycleTLS().download

    def in_a_loop(url: str, path: Path, **options: Any) -> cycletls.Response:
        async def main() -> cycletls.Response:
            async with AsyncCycleTLS() as client:
                return await client.download(url, path, **options)

        return asyncio.run(main())

    return in_a_loop


def test_a_file_is_there_when_it_is_whole(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """With the bytes of the body, and nothing beside it."""
    with ScriptedServer(Files()) as server:
        response = download(server.url, tmp_path / "f")
    assert response.status_code == 200
    assert (tmp_path / "f").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_an_error_leaves_nothing(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """A body that breaks off, or a status of an error, makes no file, and an older one stays."""
    (tmp_path / "f").write_bytes(b"old")
    with ScriptedServer(Files(breaks=1000)) as server, pytest.raises(cycletls.IncompleteRead):
        download(server.url, tmp_path / "f")
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    with (
        ScriptedServer(lambda peer: peer.read_head() and peer.send(missing)) as server,
        pytest.raises(cycletls.HTTPError),
    ):
        download(server.url, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_what_is_left_is_gone_on_with(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """Only what is missing is asked for."""
    files = Files(breaks=1000)
    with ScriptedServer(files) as server:
        with pytest.raises(cycletls.IncompleteRead):
            download(server.url, tmp_path / "f", resume=True)
        assert not (tmp_path / "f").exists()
        told: list[tuple[int, int | None]] = []
        download(server.url, tmp_path / "f", resume=True, progress=lambda done, total: told.append((done, total)))
    assert files.asked == [None, "1000"]
    assert (tmp_path / "f").read_bytes() == BODY
    assert told[0] == (1000, len(BODY))
    assert told[-1] == (len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_another_file_begins_anew(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """The server has another one by now: nothing of the first gets into it."""
    files = Files(breaks=1000)
    with ScriptedServer(files) as server:
        with pytest.raises(cycletls.IncompleteRead):
            download(server.url, tmp_path / "f", resume=True)
        files.tag, files.body = '"2"', BODY[::-1]
        download(server.url, tmp_path / "f", resume=True)
    assert (tmp_path / "f").read_bytes() == BODY[::-1]


def test_a_part_of_another_file_begins_anew(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """A server that passes over If-Range and sends a part of what it has by now: nothing of that is kept."""

    def play(peer: Peer) -> None:
        peer.read_head()
        part = f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"
        peer.send(f'HTTP/1.1 206 Partial Content\r\nETag: "2"\r\nContent-Range: {part}\r\n\r\nother'.encode())

    with ScriptedServer(Files(breaks=1000), play, Files()) as server:
        with pytest.raises(cycletls.IncompleteRead):
            download(server.url, tmp_path / "f", resume=True)
        download(server.url, tmp_path / "f", resume=True)
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_part_that_nobody_asked_for_is_an_error(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """It is not asked for anew for ever."""
    part = b'HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc'
    for resume in (False, True):
        with ScriptedServer(lambda peer: peer.read_head() and peer.send(part)) as server:
            with pytest.raises(cycletls.ProtocolError, match="a part where the whole was asked for"):
                download(server.url, tmp_path / "f", resume=resume)
            assert server.connections == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("files", [Files(ranges=False), Files(tag='W/"1"')], ids=["no ranges", "weak tag"])
def test_where_it_cannot_go_on_it_begins_anew(
    download: Callable[..., cycletls.Response], tmp_path: Path, files: Files
) -> None:
    """A server that knows no ranges, and a tag that does not tell files apart."""
    files.breaks = 1000
    with ScriptedServer(files) as server:
        with pytest.raises(cycletls.IncompleteRead):
            download(server.url, tmp_path / "f", resume=True)
        download(server.url, tmp_path / "f", resume=True)
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_range_that_is_none_begins_anew(download: Callable[..., cycletls.Response], tmp_path: Path) -> None:
    """416: what is left is more than there is now."""
    files = Files(breaks=1000)
    with ScriptedServer(files) as server, pytest.raises(cycletls.IncompleteRead):
        download(server.url, tmp_path / "f", resume=True)

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")

    with ScriptedServer(play) as second:
        state = tmp_path / "f.part.json"
        state.write_text(state.read_text().replace(server.url, second.url))
        download(second.url, tmp_path / "f", resume=True)
    assert (tmp_path / "f").read_bytes() == b"new"


def test_a_bar_is_for_terminals(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed where there is none."""
    with ScriptedServer(Files()) as server, CycleTLS() as client:
        client.download(server.url, tmp_path / "f", progress=True)
    assert capfd.readouterr() == ("", "")
