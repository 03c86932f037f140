"""The session for asyncio: the same requests, in the background of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest
import uvloop
from conftest import held, settles
from servers import Peer, ScriptedServer

import cycletls
from cycletls import AsyncCycleTLS

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def run_in_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
    """Run in a loop of uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def run_in_anyio(main: Coroutine[Any, Any, Any]) -> Any:
    """Run under anyio's asyncio backend."""

    async def start() -> Any:
        return await main

    return anyio.run(start)


@pytest.fixture(params=[asyncio.run, run_in_uvloop, run_in_anyio], ids=["asyncio", "uvloop", "anyio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Each kind of loop in turn."""
    runner: Run = request.param
    return runner


def test_requests_are_awaited(run: Run, transport: str, ca_file: str) -> None:
    """Each method, over each transport, in each loop."""

    async def main() -> None:
        async with AsyncCycleTLS(verify=ca_file) as client:
            assert (await client.get(f"{transport}/get", params={"a": "1"})).json()["args"] == {"a": "1"}
            assert (await client.post(f"{transport}/post", json={"b": 2})).json()["json"] == {"b": 2}
            assert (await client.put(f"{transport}/put", data={"c": "3"})).json()["form"] == {"c": "3"}
            assert (await client.head(f"{transport}/get")).content == b""

    run(main())


def test_many_tasks_share_a_session(run: Run, transport: str, ca_file: str) -> None:
    """Each gets the answer to its own request."""

    async def main() -> list[Any]:
        async with AsyncCycleTLS(verify=ca_file) as client:
            return await asyncio.gather(*(client.get(f"{transport}/anything/{n}") for n in range(60)))

    assert [response.json()["url"].rpartition("/")[2] for response in run(main())] == [str(n) for n in range(60)]


def test_requests_of_every_kind_share_connections(transport: str, ca_file: str) -> None:
    """With a body and without, short and long, streamed, slow, cancelled: each goes on by itself beside the others."""

    async def get(client: AsyncCycleTLS, n: int) -> bool:
        return bool((await client.get(f"{transport}/anything/{n}")).json()["url"].endswith(f"/{n}"))

    async def post(client: AsyncCycleTLS, n: int) -> bool:
        return bool((await client.post(f"{transport}/post", json={"n": n})).json()["json"] == {"n": n})

    async def long(client: AsyncCycleTLS, n: int) -> bool:
        return len((await client.get(f"{transport}/bytes/{90_000 + n}")).content) == 90_000 + n

    async def streamed(client: AsyncCycleTLS, n: int) -> bool:
        async with client.stream("GET", f"{transport}/bytes/{50_000 + n}") as response:
            return sum([len(piece) async for piece in response.iter_bytes(7000)]) == 50_000 + n

    async def cancelled(client: AsyncCycleTLS, n: int) -> bool:
        try:
            await asyncio.wait_for(client.get(f"{transport}/delay/1"), 0.001 * n)
        except asyncio.TimeoutError:
            return True
        return False

    async def main() -> None:
        async with AsyncCycleTLS(verify=ca_file) as client:
            for _ in range(2):
                kinds = [get, post, long, streamed, cancelled, get]
                assert all(await asyncio.gather(*(kind(client, n) for n in range(5) for kind in kinds)))

    asyncio.run(main())


def test_a_body_that_is_not_small_arrives_whole(transport: str, ca_file: str) -> None:
    """Of known and of unknown length."""

    async def main() -> None:
        async with AsyncCycleTLS(verify=ca_file) as client:
            assert len((await client.get(f"{transport}/bytes/100000")).content) == 100_000
            assert len((await client.get(f"{transport}/stream-bytes/100000")).content) == 100_000

    asyncio.run(main())


def test_redirects_hooks_and_auth_work_as_in_a_thread(httpbin: str) -> None:
    """A hook sees each hop; a callable auth changes each."""
    seen: list[int] = []

    def sign(request: cycletls.Request) -> None:
        request.headers["X-Signed"] = "yes"

    async def main() -> cycletls.Response:
        async with AsyncCycleTLS(hooks={"response": lambda response: seen.append(response.status_code)}) as client:
            return await client.get(f"{httpbin}/redirect/2", auth=sign)

    response = asyncio.run(main())
    assert response.json()["headers"]["X-Signed"] == "yes"
    assert seen == [302, 302, 200]
    assert [hop.status_code for hop in response.history] == [302, 302]


def test_cookies_and_headers_are_the_sessions(httpbin: str) -> None:
    """They can be read and set without awaiting anything."""

    async def main() -> None:
        async with AsyncCycleTLS(headers={"X-A": "1"}) as client:
            await client.get(f"{httpbin}/cookies/set/a/b")
            assert client.cookies["a"] == "b"
            client.headers["X-A"] = "2"
            assert (await client.get(f"{httpbin}/headers")).json()["headers"]["X-A"] == "2"

    asyncio.run(main())


def test_failures_name_the_request(run: Run) -> None:
    """They are the same exceptions as in a thread."""

    async def main() -> None:
        async with AsyncCycleTLS() as client:
            with pytest.raises(cycletls.ConnectError) as caught:
                await client.get("http://127.0.0.1:1/x")
            assert caught.value.request is not None
            assert caught.value.request.url == "http://127.0.0.1:1/x"
            with pytest.raises(cycletls.UnknownOption):
                await client.get("http://127.0.0.1:1/x", tiemout=1)  # type: ignore[call-arg]

    run(main())


@pytest.mark.parametrize("limit", [{"timeout": 0.2}, {"timeout": cycletls.Timeouts(read=0.2)}])
def test_limits_on_time_hold(limit: Any) -> None:
    """The total and the silence between bytes, within a tenth."""

    async def main(url: str) -> float:
        loop = asyncio.get_running_loop()
        async with AsyncCycleTLS() as client:
            start = loop.time()
            with pytest.raises(cycletls.Timeout):
                await client.get(url, **limit)
            return loop.time() - start

    with ScriptedServer(lambda peer: peer.read_all() and None) as server:
        assert 0.18 < asyncio.run(main(server.url)) < 0.5


def ended(*events: threading.Event) -> Callable[[Peer], None]:
    """Play a server that never answers, and notes when the request is there and when the client hangs up."""
    came, left = events

    def play(peer: Peer) -> None:
        peer.read_head()
        came.set()
        peer.await_end()
        left.set()

    return play


def test_cancelling_a_task_hangs_up() -> None:
    """The server sees the end of the connection at once, and nothing is left behind."""
    came, left = threading.Event(), threading.Event()

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            task = asyncio.create_task(client.get(url))
            await asyncio.to_thread(came.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(left.wait, 1)

    with ScriptedServer(ended(came, left)) as server:
        asyncio.run(main(server.url))


def test_wait_for_hangs_up() -> None:
    """asyncio's own limit cancels, and so ends the exchange."""
    came, left = threading.Event(), threading.Event()

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get(url), 0.2)
            assert await asyncio.to_thread(left.wait, 1)

    with ScriptedServer(ended(came, left)) as server:
        asyncio.run(main(server.url))


def test_cancelling_one_stream_leaves_the_others(httpbin_h2: str, ca_file: str) -> None:
    """Over HTTP/2 the connection lives on."""

    async def read(client: AsyncCycleTLS, opened: asyncio.Event) -> None:
        async with client.stream("GET", f"{httpbin_h2}/drip?duration=10&numbytes=10") as response:
            opened.set()
            await response.read()

    async def main() -> None:
        async with AsyncCycleTLS(verify=ca_file) as client:
            first = await client.get(f"{httpbin_h2}/get")
            opened = [asyncio.Event() for _ in range(5)]
            slow = [asyncio.create_task(read(client, event)) for event in opened]
            for event in opened:
                await event.wait()
            for task in slow:
                task.cancel()
            ended = await asyncio.gather(*slow, return_exceptions=True)
            assert [type(outcome) for outcome in ended] == [asyncio.CancelledError] * 5
            again = await client.get(f"{httpbin_h2}/get")
            assert again.connection.reused
            assert again.connection.local_address == first.connection.local_address

    asyncio.run(main())


def test_closing_the_client_ends_what_is_under_way() -> None:
    """A task that waits gets SessionClosed, the server the end of the connection."""
    came, left = threading.Event(), threading.Event()

    async def main(url: str) -> None:
        client = AsyncCycleTLS()
        task = asyncio.create_task(client.get(url))
        await asyncio.to_thread(came.wait, 10)
        await client.aclose()
        with pytest.raises(cycletls.SessionClosed):
            await task
        assert await asyncio.to_thread(left.wait, 1)
        with pytest.raises(cycletls.SessionClosed):
            await client.get(url)

    with ScriptedServer(ended(came, left)) as server:
        asyncio.run(main(server.url))


def test_another_loop_is_refused(httpbin: str) -> None:
    """A client belongs to the loop that it was first used in, and says so."""
    client = AsyncCycleTLS()

    async def use() -> None:
        await client.get(f"{httpbin}/get")

    async def use_and_close() -> None:
        with pytest.raises(cycletls.LoopError, match="another event loop"):
            await client.get(f"{httpbin}/get")
        await client.aclose()

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(use())
        asyncio.run(use_and_close())
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


def test_without_a_loop_the_error_says_what_to_do() -> None:
    """As with trio, whose loop is none of asyncio's."""
    request = AsyncCycleTLS().get("http://127.0.0.1:1/")
    with pytest.raises(cycletls.LoopError, match="trio"):
        request.send(None)


def test_an_asynchronous_iterable_is_streamed_up(transport: str, ca_file: str) -> None:
    """Piece by piece, and to the end."""

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(20):
            await asyncio.sleep(0)
            yield bytes([n]) * 3000

    async def main() -> Any:
        async with AsyncCycleTLS(verify=ca_file) as client:
            return (await client.post(f"{transport}/post", content=pieces())).json()

    assert asyncio.run(main())["data"] == "".join(chr(n) * 3000 for n in range(20))


def test_an_iterable_that_raises_ends_the_exchange() -> None:
    """What it raises is raised, and the server sees the connection end."""
    came, left = threading.Event(), threading.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("no more")

    async def main(url: str) -> None:
        async with AsyncCycleTLS() as client:
            with pytest.raises(LookupError, match="no more"):
                await client.post(url, content=pieces())
            assert await asyncio.to_thread(left.wait, 1)

    with ScriptedServer(ended(came, left)) as server:
        asyncio.run(main(server.url))


def test_an_asynchronous_iterable_needs_a_loop(httpbin: str) -> None:
    """The session that waits in a thread cannot send it, and says who can."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(cycletls.InvalidBody, match="AsyncCycleTLS"):
        cycletls.post(f"{httpbin}/post", content=pieces())


@pytest.mark.timeout(300)
def test_cancels_leave_nothing_behind(httpbin: str) -> None:
    """After 2,000 requests that were cancelled at any point, nothing more is held than before."""
    before = held()

    async def main() -> None:
        async with AsyncCycleTLS() as client:
            for n in range(100):
                tasks = [asyncio.create_task(client.get(f"{httpbin}/bytes/1000")) for _ in range(20)]
                await asyncio.sleep(n % 7 / 2000)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert settles(before)


def test_a_loop_that_is_gone_leaves_nothing_behind(httpbin: str) -> None:
    """Nobody closed the client, nor waited for its last request."""
    with cycletls.CycleTLS() as client:
        client.get(f"{httpbin}/get")  # the sidecar, where there is one, is to stay
    before = held()

    async def main() -> None:
        client = AsyncCycleTLS()
        await client.get(f"{httpbin}/get")
        asyncio.create_task(client.get(f"{httpbin}/delay/3"))  # noqa: RUF006  # it is to be forgotten
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert settles(before)


def test_clients_of_a_loop_share_its_descriptor(httpbin: str) -> None:
    """One descriptor for a loop, however many clients."""

    async def main() -> None:
        async with AsyncCycleTLS() as first, AsyncCycleTLS() as second:
            await first.get(f"{httpbin}/get")
            await second.get(f"{httpbin}/get")
            assert first._here() is second._here()

    asyncio.run(main())


def test_an_idle_client_takes_no_time(httpbin: str) -> None:
    """Nothing ticks while responses are waited for: the process hardly runs."""
    import resource

    def spent() -> tuple[float, int]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime, usage.ru_nvcsw

    async def main(url: str) -> tuple[float, int]:
        async with AsyncCycleTLS() as client:
            tasks = [asyncio.create_task(client.get(url)) for _ in range(100)]
            await asyncio.sleep(1)
            before = spent()
            await asyncio.sleep(1)
            after = spent()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return after[0] - before[0], after[1] - before[1]

    with ScriptedServer(lambda peer: peer.read_all() and None) as server:
        seconds, switches = asyncio.run(main(server.url))
    assert seconds < 0.05
    assert switches < 60  # a wait of 100 exchanges by slices would be 2,000
