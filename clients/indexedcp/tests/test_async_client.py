"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
import socket
from pathlib import Path

import pytest
from conftest import KEY, MakeFile, files_in
from indexedcp import AsyncIndexCPClient, AuthenticationFailed, BufferInUse, IndexCPClient, IndexCPServer
from node import KEY as NODE_KEY
from node import NodeServer


def test_same_methods() -> None:
    """It has the methods of its twin, with their parameters, as coroutines."""
    for name, method in vars(IndexCPClient).items():
        if not name.startswith("_"):
            twin = getattr(AsyncIndexCPClient, {"close": "aclose"}.get(name, name))
            assert inspect.iscoroutinefunction(twin)
            assert inspect.signature(twin).parameters.keys() == inspect.signature(method).parameters.keys()


def test_files_arrive_as_they_are(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Files of no, one and many chunks are on the server, and the buffer is empty."""
    contents = {"none.bin": b"", "one.bin": b"x" * 1000, "many.bin": bytes(range(256)) * 50}
    paths = {str(make_file(name, data)): name for name, data in contents.items()}

    async def upload() -> None:
        async with AsyncIndexCPClient(chunk_size=1000, retries=0) as client:
            client.api_key = KEY
            assert [await client.add_file(path) for path in paths] == [1, 1, 13]
            assert await client.get_buffered_files() == list(paths)
            assert await client.upload_buffered_files(server.url) == paths
            assert await client.get_buffered_files() == []
            assert await client.upload_buffered_files(server.url) == {}

    asyncio.run(upload())
    assert files_in(out) == contents


def test_one_buffer_for_both(client: IndexCPClient, server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """What one client adds, the other uploads, and not both at once."""

    async def upload() -> None:
        async with AsyncIndexCPClient() as other:
            other.api_key = KEY
            with client._buffer.exclusive(), pytest.raises(BufferInUse):
                await other.upload_buffered_files(server.url)
            await other.upload_buffered_files(server.url)

    client.add_file(make_file("a.bin", b"abc"))
    asyncio.run(upload())
    assert files_in(out) == {"a.bin": b"abc"}
    assert client.get_buffered_files() == []


def test_wrong_key(server: IndexCPServer, make_file: MakeFile) -> None:
    """The same errors are raised."""

    async def upload() -> None:
        async with AsyncIndexCPClient() as client:
            client.api_key = "wrong"
            await client.buffer_and_upload(make_file("a.bin", b"abc"), server.url)

    with pytest.raises(AuthenticationFailed):
        asyncio.run(upload())


def test_server_without_ids(out: Path, make_file: MakeFile) -> None:
    """A server that appends is sent one chunk after the other."""

    async def upload(url: str) -> None:
        async with AsyncIndexCPClient(chunk_size=100) as client:
            client.api_key = NODE_KEY
            assert await client.buffer_and_upload(make_file("a.bin", bytes(range(250))), url) == "a.bin"

    with NodeServer(out) as node:
        asyncio.run(upload(node.url))
    assert files_in(out) == {"a.bin": bytes(range(250))}


def test_chunks_without_a_buffer(server: IndexCPServer, out: Path) -> None:
    """Single chunks make a file."""

    async def upload() -> None:
        async with AsyncIndexCPClient() as client:
            client.api_key = KEY
            for index, data in enumerate((b"one", b"two")):
                await client.upload_chunk(server.url, data, index, "s.txt")

    asyncio.run(upload())
    assert files_in(out) == {"s.txt": b"onetwo"}


def test_cancelling_keeps_the_buffer(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """A task that is cancelled while it waits ends at once, and the next upload goes on."""
    path = make_file("a.bin", b"a" * 5000)

    async def upload() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with AsyncIndexCPClient(chunk_size=1000) as client:
                client.api_key = KEY
                await client.add_file(path)
                task = asyncio.ensure_future(
                    client.upload_buffered_files(f"http://127.0.0.1:{silent.getsockname()[1]}/upload")
                )
                accepted, _ = await asyncio.to_thread(silent.accept)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                accepted.close()
                assert await client.get_buffered_files() == [str(path)]
                await client.upload_buffered_files(server.url)

    asyncio.run(upload())
    assert files_in(out) == {"a.bin": b"a" * 5000}


def test_uploads_of_two_buffers_at_once(server: IndexCPServer, out: Path, make_file: MakeFile) -> None:
    """Tasks with buffers of their own upload beside each other."""

    async def upload(number: int) -> str:
        async with AsyncIndexCPClient(f"buffer-{number}", chunk_size=500) as client:
            client.api_key = KEY
            path = make_file(f"{number}.bin", bytes([number]) * 5000)
            return await client.buffer_and_upload(path, server.url)

    async def uploads() -> list[str]:
        return await asyncio.gather(*(upload(number) for number in range(4)))

    assert asyncio.run(uploads()) == [f"{number}.bin" for number in range(4)]
    assert files_in(out) == {f"{number}.bin": bytes([number]) * 5000 for number in range(4)}
