"""Bodies end to end: what was given is what arrives."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Peer, ScriptedServer

import cycletls
from cycletls import CycleTLS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def session(ca_file: str) -> Iterator[CycleTLS]:
    """A session that trusts the test authority."""
    with CycleTLS(verify=ca_file, timeout=60) as session:
        yield session


def received(reply: dict[str, Any], field: str) -> bytes:
    """Return what httpbin says it received in a file field, which it writes as text or as a data URL."""
    content: str = reply["files"][field]
    if content.startswith("data:"):
        return base64.b64decode(content.partition(",")[2])
    return content.encode()


def test_json_forms_and_bytes(transport: str, session: CycleTLS) -> None:
    """With the type of each."""
    url = f"{transport}/post"
    reply = session.post(url, json={"ü": [1, None]}).json()
    assert (reply["json"], reply["headers"]["Content-Type"]) == ({"ü": [1, None]}, "application/json")
    assert session.post(url, data={"a": ["1", "2"], "ü": "ö"}).json()["form"] == {"a": ["1", "2"], "ü": "ö"}
    assert session.post(url, data=b"bytes").json()["data"] == "bytes"
    assert session.put(f"{transport}/put", content="täxt").json()["data"] == "täxt"


def test_the_callers_content_type_counts(transport: str, session: CycleTLS) -> None:
    """What the body would say of itself is only for where nobody else does."""
    reply = session.post(f"{transport}/post", json={}, headers={"content-type": "application/x-own"}).json()
    assert reply["headers"]["Content-Type"] == "application/x-own"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 3_000_000])
def test_files_arrive_byte_for_byte(transport: str, session: CycleTLS, tmp_path: Path, size: int) -> None:
    """In a form beside fields, whatever their size."""
    path = tmp_path / "random.bin"
    path.write_bytes(os.urandom(size))
    with path.open("rb") as file:
        reply = session.post(f"{transport}/post", files={"file": file}, data={"title": "ü"}).json()
    assert reply["form"] == {"title": "ü"}
    assert hashlib.sha256(received(reply, "file")).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_file_can_be_the_body(transport: str, session: CycleTLS) -> None:
    """From where it stands, with its length."""
    file = io.BytesIO(b"head" + b"x" * 200_000)
    file.seek(4)
    reply = session.put(f"{transport}/put", data=file).json()
    assert reply["data"] == "x" * 200_000
    assert reply["headers"]["Content-Length"] == "200000"


def test_an_iterable_can_be_the_body(transport: str, session: CycleTLS) -> None:
    """In chunks or DATA frames until it ends; empty pieces do not end it."""

    def generate() -> Iterator[bytes]:
        for number in range(100):
            yield b"%d\n" % number
            yield b""

    reply = session.post(f"{transport}/post", content=generate()).json()
    assert reply["data"] == "".join(f"{number}\n" for number in range(100))


def test_what_the_iterable_raises_is_raised(transport: str, session: CycleTLS) -> None:
    """As it is; the session goes on."""

    def generate() -> Iterator[bytes]:
        yield b"some"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        session.post(f"{transport}/post", content=generate())
    assert session.get(f"{transport}/get").ok


def test_a_form_is_framed_by_its_length(scripted: type[ScriptedServer]) -> None:
    """Never by both Content-Length and Transfer-Encoding."""
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.read_head())
        [length] = [int(line[16:]) for line in heads[0].split(b"\r\n") if line.startswith(b"Content-Length: ")]
        peer.read_exactly(length)
        peer.send(OK)

    with scripted(script) as server, CycleTLS() as session:
        session.post(server.url, files={"f": io.BytesIO(b"x" * 300_000)})
    assert b"Transfer-Encoding" not in heads[0]


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}, {"Transfer-Encoding": "gzip, chunked"}]
)
def test_framing_that_contradicts_the_body_is_refused(scripted: type[ScriptedServer], headers: dict[str, str]) -> None:
    """Two opinions on where a body ends are how requests are smuggled."""
    with scripted() as server, pytest.raises(cycletls.RequestException):
        cycletls.post(server.url, data=b"four", headers=headers)


def test_a_server_may_answer_before_it_has_the_body(scripted: type[ScriptedServer]) -> None:
    """Its answer is the answer; the rest of the body is not asked for."""
    asked: list[int] = []

    def generate() -> Iterator[bytes]:
        for number in range(100_000):
            asked.append(number)
            yield b"x" * 65536

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.end()
        peer.read_exactly(1 << 20)

    with scripted(script) as server, CycleTLS() as session:
        assert session.post(server.url, data=generate()).status_code == 413
    assert len(asked) < 100_000


def test_expect_continue_waits_for_the_servers_word(scripted: type[ScriptedServer]) -> None:
    """And a final answer instead of it saves sending the body."""
    bodies: list[bytes] = []

    def agrees(peer: Peer) -> None:
        assert b"Expect: 100-continue" in peer.read_head()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        bodies.append(peer.read_exactly(4))
        peer.send(OK)

    def declines(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        bodies.append(peer.read_all())

    for script, status in ((agrees, 200), (declines, 401)):
        with scripted(script) as server, CycleTLS() as session:
            assert session.post(server.url, data=b"body", expect_continue=30).status_code == status
    assert bodies == [b"body", b""]
