"""A home, a server and a client for each test that asks."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from indexedcp import IndexCPClient, IndexCPServer

KEY = "a key for tests"

# A job that a shell runs in the background ignores SIGINT, and so would every process that the tests start from it.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Post = Callable[..., Answer]
MakeFile = Callable[[str, bytes], Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and no key in the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("INDEXCP_API_KEY", "INDEXEDCP_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output folder."""
    return tmp_path / "out"


@pytest.fixture
def server(out: Path) -> Iterator[IndexCPServer]:
    """A server that runs."""
    with IndexCPServer(out, 0, KEY) as running:
        running.start()
        yield running


@pytest.fixture
def client() -> Iterator[IndexCPClient]:
    """A client with small chunks that does not try again by itself."""
    with IndexCPClient(chunk_size=1000, retries=0) as fresh:
        fresh.api_key = KEY
        yield fresh


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Makes files that can be uploaded."""

    def make(name: str, data: bytes) -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return make


@pytest.fixture
def post(server: IndexCPServer) -> Post:
    """Sends a chunk as the Node client does, each on a connection of its own."""

    def send(body: bytes, index: int | str | None = 0, name: str | None = "f.bin", **more: Any) -> Answer:
        return request(server.port, body, index, name, **more)

    return send


def request(
    port: int,
    body: bytes | None,
    index: int | str | None = 0,
    name: str | None = "f.bin",
    *,
    method: str = "POST",
    path: str = "/upload",
    key: str | None = KEY,
    headers: dict[str, str] | None = None,
    connection: http.client.HTTPConnection | None = None,
) -> Answer:
    """Send one request, byte for byte what is said."""
    sent = {"Content-Type": "application/octet-stream"}
    if index is not None:
        sent["X-Chunk-Index"] = str(index)
    if name is not None:
        sent["X-File-Name"] = name
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    used = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    used.request(method, path, body, {**sent, **(headers or {})})
    response = used.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    if connection is None:
        used.close()
    return answer


def files_in(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but for what the server keeps for itself."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
