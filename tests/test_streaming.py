"""Responses whose bodies are read as they come, and bodies that are sent in pieces, in both colours."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import held, settles
from servers import Peer, ScriptedServer

import cycletls
from cycletls import AsyncCycleTLS, CycleTLS

LARGE = 3_000_000


def answer(body: bytes, *headers: bytes) -> Callable[[Peer], None]:
    """Play a server that answers each request with this body."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", b""])

    def play(peer: Peer) -> None:
        while peer.read_head():
            peer.send(head + body)

    return play


def collect(colour: str, url: str, take: Callable[[Any], Any], **options: Any) -> list[Any]:
    """What iterating over a streamed response gives, in a thread or in a loop."""
    if colour == "thread":
        with CycleTLS() as client, client.stream("GET", url, **options) as response:
            return list(take(response))

    async def main() -> list[Any]:
        async with AsyncCycleTLS() as client, client.stream("GET", url, **options) as response:
            return [piece async for piece in take(response)]

    return asyncio.run(main())


@pytest.fixture(params=["thread", "loop"])
def colour(request: pytest.FixtureRequest) -> str:
    """How it is waited for."""
    how: str = request.param
    return how


def test_a_streamed_body_is_the_whole_body(transport: str, ca_file: str) -> None:
    """Over each transport."""
    with CycleTLS(verify=ca_file) as client:
        whole = client.get(f"{transport}/stream-bytes/100000", params={"seed": 1}).content
        with client.stream("GET", f"{transport}/stream-bytes/100000", params={"seed": 1}) as response:
            assert b"".join(response.iter_bytes(1000)) == whole
        with client.stream("GET", f"{transport}/stream-bytes/100000", params={"seed": 1}) as response:
            assert response.read() == response.content == whole


def test_pieces_lines_and_text(colour: str) -> None:
    """What each way to iterate gives."""
    body = "ä\nb\r\nc".encode()
    with ScriptedServer(answer(body, b"Content-Type: text/plain; charset=utf-8")) as server:
        assert collect(colour, server.url, lambda r: r.iter_bytes(2)) == [body[0:2], body[2:4], body[4:6], body[6:]]
        assert b"".join(collect(colour, server.url, lambda r: r.iter_content(None))) == body
        assert collect(colour, server.url, lambda r: r.iter_lines()) == ["ä".encode(), b"b", b"c"]
        assert collect(colour, server.url, lambda r: r.iter_lines(decode_unicode=True)) == ["ä", "b", "c"]
        assert "".join(collect(colour, server.url, lambda r: r.iter_text())) == body.decode()


def test_pieces_come_as_they_are_sent(colour: str) -> None:
    """The first is there before the server sends the second."""
    taken = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        assert taken.wait(10)
        peer.send(b"b")

    def note(response: Any) -> Any:
        if colour == "thread":
            return (note_one(piece) for piece in response.iter_bytes())
        return note_all(response)

    def note_one(piece: bytes) -> bytes:
        taken.set()
        return piece

    async def note_all(response: Any) -> Any:
        async for piece in response.iter_bytes():
            yield note_one(piece)

    with ScriptedServer(play) as server:
        assert collect(colour, server.url, note) == [b"a", b"b"]


def test_decoding_is_incremental_and_raw_is_as_sent(colour: str) -> None:
    """A coded body is decoded piece by piece, or left as it is."""
    plain = b"x" * 1000
    coded = gzip.compress(plain)
    with ScriptedServer(answer(coded, b"Content-Encoding: gzip")) as server:
        assert b"".join(collect(colour, server.url, lambda r: r.iter_bytes())) == plain
        assert b"".join(collect(colour, server.url, lambda r: r.iter_raw())) == coded


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_codings_of_a_real_server_stream(httpbin: str, coding: str, colour: str) -> None:
    """What httpbin encodes comes out as text."""
    assert b'"headers"' in b"".join(collect(colour, f"{httpbin}/{coding}", lambda r: r.iter_bytes(10)))


def test_a_truncated_body_is_an_error(colour: str) -> None:
    """What came is given, and then the end is an error, not the end of the body."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with ScriptedServer(play) as server, pytest.raises(cycletls.IncompleteRead):
        collect(colour, server.url, lambda r: r.iter_bytes())


def test_an_error_ends_the_response(scripted: type[ScriptedServer]) -> None:
    """It is closed without anybody's doing, and what is asked of it afterwards says so."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with scripted(play) as server, CycleTLS() as client:
        response = client.stream("GET", server.url)
        with pytest.raises(cycletls.IncompleteRead):
            response.read()
        assert response.is_closed
        with pytest.raises(cycletls.StreamClosed):
            response.read(1)


def hung_up() -> tuple[Callable[[Peer], None], threading.Event]:
    """Play a server that sends without end, and note that the client hung up."""
    left = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        try:
            while True:
                peer.send(bytes(65536))
        except OSError:
            left.set()

    return play, left


def test_leaving_early_hangs_up(colour: str) -> None:
    """Within a second the server sees it."""
    play, left = hung_up()

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            async with client.stream("GET", url) as response:
                await response.read(10)
            assert await asyncio.to_thread(left.wait, 1)

    with ScriptedServer(play) as server:
        if colour == "loop":
            asyncio.run(main(server.url))
        else:
            with CycleTLS() as client:
                with client.stream("GET", server.url) as response:
                    assert response.read(10) == bytes(10)
                assert left.wait(1)
                assert response.is_closed


def test_a_forgotten_stream_hangs_up() -> None:
    """As soon as the response is collected."""
    play, left = hung_up()
    with ScriptedServer(play) as server, CycleTLS() as client:
        client.stream("GET", server.url)
        gc.collect()
        assert left.wait(1)


def test_closing_the_session_ends_a_stream() -> None:
    """Whoever reads it gets SessionClosed, or that the stream is over."""
    play, left = hung_up()
    with ScriptedServer(play) as server:
        client = CycleTLS()
        response = client.stream("GET", server.url)
        client.close()
        with pytest.raises(cycletls.CycleTLSError):
            response.read()
        assert left.wait(1)


def test_a_complete_stream_gives_its_connection_back(transport: str, ca_file: str) -> None:
    """The next request uses it."""
    with CycleTLS(verify=ca_file) as client:
        with client.stream("GET", f"{transport}/bytes/1000") as response:
            first = response.connection.local_address
            response.read()
        assert client.get(f"{transport}/get").connection.local_address == first


def test_leaving_a_stream_of_http2_leaves_the_connection(httpbin_h2: str, ca_file: str) -> None:
    """Only the stream is reset."""
    with CycleTLS(verify=ca_file) as client:
        with client.stream("GET", f"{httpbin_h2}/drip?duration=5&numbytes=5") as response:
            first = response.connection.local_address
        assert client.get(f"{httpbin_h2}/get").connection.local_address == first


def test_a_slow_reader_holds_the_server_back(colour: str) -> None:
    """The server cannot send more than the kernel's buffers hold, whatever time it has."""
    sent = 0
    stuck = threading.Event()

    def play(peer: Peer) -> None:
        nonlocal sent
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        peer._socket.settimeout(0.3)
        try:
            while True:
                sent += peer._socket.send(bytes(65536))
        except TimeoutError:
            stuck.set()
            peer.read_all()

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client, client.stream("GET", url) as response:
            await response.read(1)
            assert await asyncio.to_thread(stuck.wait, 20)

    with ScriptedServer(play) as server:
        if colour == "loop":
            asyncio.run(main(server.url))
        else:
            with CycleTLS() as client, client.stream("GET", server.url) as response:
                response.read(1)
                assert stuck.wait(20)
    assert sent < 64 * 1024 * 1024


def test_the_wrong_use_of_a_stream_says_so(httpbin: str) -> None:
    """After close, a second time, decoded and then raw, and without read() in a loop."""
    with CycleTLS() as client:
        response = client.stream("GET", f"{httpbin}/bytes/100000")
        response.read(10)
        with pytest.raises(cycletls.StreamConsumed, match="already"):
            response.iter_bytes()
        with pytest.raises(cycletls.StreamConsumed, match=r"iter_raw\(\) comes first"):
            response.iter_raw()
        with pytest.raises(cycletls.StreamConsumed, match="pickled"):
            pickle.dumps(response)
        response.close()
        response.close()
        with pytest.raises(cycletls.StreamClosed):
            response.read(10)

    async def main() -> None:
        async with AsyncCycleTLS() as client, client.stream("GET", f"{httpbin}/get") as response:
            with pytest.raises(cycletls.StreamConsumed, match=r"await response.read\(\)"):
                _ = response.content
            await response.aread()
            assert response.json()["url"].endswith("/get")

    asyncio.run(main())


def test_two_readers_are_one_too_many() -> None:
    """The second gets a clear error, the first its bytes."""
    gate = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        assert gate.wait(10)
        peer.send(b"x")

    async def main(url: str) -> bytes:
        async with AsyncCycleTLS() as client, client.stream("GET", url) as response:
            first = asyncio.create_task(response.read(1))
            await asyncio.sleep(0)
            with pytest.raises(cycletls.StreamConsumed, match="elsewhere"):
                await response.read(1)
            gate.set()
            return await first

    with ScriptedServer(play) as server:
        assert asyncio.run(main(server.url)) == b"x"


def test_stream_is_an_option_of_every_method(httpbin: str) -> None:
    """As in requests; content is read when it is asked for."""
    with CycleTLS() as client:
        response = client.get(f"{httpbin}/get", stream=True)
        assert response.json()["url"].endswith("/get")
        assert response.content is response.content

    async def main() -> bytes:
        async with AsyncCycleTLS() as client:
            response = await client.get(f"{httpbin}/get", stream=True)
            return await response.aread()

    assert b'"url"' in asyncio.run(main())


def test_a_streamed_redirect_is_followed(httpbin: str) -> None:
    """By the core, and where hooks see each hop."""
    statuses: list[int] = []
    with CycleTLS() as client:
        with client.stream("GET", f"{httpbin}/redirect/2") as response:
            assert b'"url"' in response.read()
        hooks = {"response": lambda response: statuses.append(response.status_code)}
        with client.stream("GET", f"{httpbin}/redirect/2", hooks=hooks) as response:
            assert b'"url"' in response.read()
    assert statuses == [302, 302, 200]


def test_buffered_responses_iterate_in_both_colours(httpbin: str) -> None:
    """The same names serve a response whose body is there."""

    async def main() -> None:
        async with AsyncCycleTLS() as client:
            response = await client.get(f"{httpbin}/bytes/10")
            assert [piece async for piece in response.iter_bytes(4)] == list(response.iter_bytes(4))
            assert b"".join([piece async for piece in response.aiter_bytes()]) == response.content
            assert await response.aread() == response.read() == response.array_buffer()

    asyncio.run(main())


@pytest.mark.parametrize("make", [lambda: b"x" * LARGE, lambda: io.BytesIO(b"x" * LARGE)], ids=["bytes", "file"])
def test_progress_of_an_upload(httpbin: str, make: Callable[[], Any], colour: str) -> None:
    """It grows to the length that was known from the beginning."""
    told: list[tuple[int, int | None]] = []
    options: dict[str, Any] = {"content": make(), "upload_progress": lambda done, total: told.append((done, total))}

    async def main() -> cycletls.Response:
        async with AsyncCycleTLS() as client:
            return await client.post(f"{httpbin}/post", **options)

    response = asyncio.run(main()) if colour == "loop" else cycletls.post(f"{httpbin}/post", **options)
    assert len(response.json()["data"]) == LARGE
    assert told[-1] == (LARGE, LARGE)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) > 10


def test_an_early_answer_ends_the_upload() -> None:
    """The server's word counts; the rest is not asked for."""
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        for _ in range(10_000):
            asked += 1
            yield bytes(65536)

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        peer.read_all()

    with ScriptedServer(play) as server:
        assert cycletls.post(server.url, content=pieces()).text == "no"
    assert asked < 10_000


def test_early_closed_streams_leave_nothing_behind() -> None:
    """After 300 in each colour nothing more is held than before."""

    async def early(client: AsyncCycleTLS, url: str) -> None:
        async with client.stream("GET", url) as response:
            await response.read(1)

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            for _ in range(30):
                await asyncio.gather(*(early(client, url) for _ in range(10)))

    with ScriptedServer(answer(bytes(1_000_000))) as server:
        before = held()
        asyncio.run(main(server.url))
        with CycleTLS() as client:
            for _ in range(300):
                with client.stream("GET", server.url) as response:
                    response.read(1)
    assert settles(before)
