"""Progress that never hangs: every trap of the server's stream, over real WebSockets, in both colours."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator

import cipherrun
import pytest
from cipherrun import AsyncCipherRunClient, ProgressMessage, WebSocketProgressClient, stream_progress_sync
from colours import Caller
from conftest import MakeCaller
from faults import REFUSED, SOUND, Proxy
from serving import Running
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

SOON = 0.2
"""Seconds of silence after which the tests' clients ask."""


def kinds(messages: list[ProgressMessage]) -> list[tuple[str, int]]:
    """What messages say in short."""
    return [(message.msg_type, message.progress) for message in messages]


def until(messages: Iterator[ProgressMessage], progress: int) -> ProgressMessage:
    """The first message that tells of some progress."""
    return next(message for message in messages if message.progress >= progress)


def streams(server: Running) -> int:
    """How many WebSockets were asked for."""
    return sum(method == "WEBSOCKET" for method, _, _ in server.standin.requests)


def held(call: Caller) -> str:
    """The id of a scan that stays at 15 percent until it is released."""
    return str(call("create_scan", "hold.test").scan_id)


def test_steps_come_in_order(call: Caller, server: Running) -> None:
    """Every step comes once, in order, and the last one says how the scan ended."""
    scan_id = held(call)
    messages = call.progress(scan_id)
    first = until(messages, 15)
    assert (first.stage, first.scan_id) == ("Starting TLS scan", scan_id)
    server.release(scan_id)
    rest = list(messages)
    assert kinds(rest) == [("progress", 95), ("completed", 100)]
    assert rest[0].stage == "Finalizing results"
    assert rest[-1].is_terminal
    assert streams(server) == 1


def test_results_are_there_when_the_last_step_came(call: Caller, server: Running) -> None:
    """The server says "completed" too early; who hears it from here can have the results at once."""
    server.standin.setup.storing = 0.3
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)
    assert call("get_scan_results", scan_id).rating.grade == "A+"


def test_late_listeners_hear_the_end(call: Caller) -> None:
    """Who connects after the end, where the server says nothing for ever, hears at once how it was."""
    call("scan", "a.test", poll_interval=0.1)
    scan = call("create_scan", "fail.test")
    with pytest.raises(cipherrun.ScanFailedError):
        call("wait_for_scan", scan.scan_id, 0.1)
    started = time.monotonic()
    (message,) = call("stream_progress", scan.scan_id, poll_interval=30)
    assert (message.msg_type, message.stage, message.details) == ("failed", "failed", "connection refused")
    assert time.monotonic() - started < 5


def test_a_queued_scan_is_cancelled_in_silence(call: Caller, make: MakeCaller, server: Running) -> None:
    """A scan that is cancelled while it is queued ends for its listeners, though the server does not tell them."""
    server.do(lambda: setattr(server.standin, "workers", asyncio.Semaphore(1)))
    held(call)
    queued = call("create_scan", "b.test").scan_id
    messages = call.progress(queued, poll_interval=SOON)
    assert next(messages).stage == "queued"
    make()("cancel_scan", queued)
    assert kinds(list(messages)) == [("cancelled", 0)]


def test_a_running_scan_is_cancelled(call: Caller, make: MakeCaller) -> None:
    """A scan that is cancelled while it runs ends where it was."""
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    make()("cancel_scan", scan_id)
    assert kinds(list(messages)) == [("cancelled", 15)]


def test_a_scan_that_fails(call: Caller, server: Running) -> None:
    """The last step of a scan that fails says why."""
    scan = call("create_scan", "fail.test")
    last = call("stream_progress", scan.scan_id)[-1]
    assert (last.msg_type, last.details) == ("failed", "connection refused")


def test_who_is_cut_off_comes_back(call: Caller, server: Running) -> None:
    """A listener that the server calls too slow connects again and misses no end."""
    scan_id = held(call)
    messages = call.progress(scan_id, poll_interval=SOON)
    until(messages, 15)
    scan = server.scan(scan_id)
    server.do(scan.lag)
    server.wait(scan.deserted.wait())
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)
    assert streams(server) == 2


def test_a_broken_connection_is_replaced(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """After the connection broke another one goes on, and nothing is told twice."""
    call = make(base_url=proxy.url)
    scan_id = held(call)
    messages = call.progress(scan_id, poll_interval=SOON)
    until(messages, 15)
    proxy.drop()
    server.wait(server.scan(scan_id).deserted.wait())
    server.release(scan_id)
    rest = list(messages)
    assert kinds(rest) in ([("progress", 95), ("completed", 100)], [("completed", 100)])


def test_a_server_that_goes_and_comes_back(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """An outage in the midst of a scan, longer than a call would bear, is waited out."""
    call = make(base_url=proxy.url, max_retries=1)
    scan_id = held(call)
    messages = call.progress(scan_id, poll_interval=SOON)
    until(messages, 15)
    plan = itertools.chain([REFUSED] * 20, itertools.repeat(SOUND))
    proxy.plan = lambda: next(plan)
    proxy.drop()
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)
    assert next(plan) is SOUND


def test_without_websockets_there_is_progress(call: Caller, server: Running) -> None:
    """Where a gateway lets no WebSocket through, the scan is followed by asking."""

    def refuse(connection: HTTPConnection) -> Response | None:
        return PlainTextResponse("no", 426) if connection.scope["type"] == "websocket" else None

    server.standin.weather = refuse
    scan_id = held(call)
    messages = call.progress(scan_id, poll_interval=SOON)
    until(messages, 15)
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)


def test_a_stream_that_is_silent_is_not_believed(call: Caller, server: Running) -> None:
    """Where the stream says nothing although the scan goes on, the scan is followed by asking."""
    scan_id = held(call)
    messages = call.progress(scan_id, poll_interval=SOON)
    until(messages, 15)
    server.do(server.scan(scan_id).listeners.clear)
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)
    assert streams(server) == 1


@pytest.mark.parametrize("frame", ["hello", "[]", '{"msg_type": "progress"}'])
def test_what_is_no_progress(call: Caller, server: Running, frame: str) -> None:
    """A stream of something else is an error, not a silence."""
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    scan = server.scan(scan_id)
    server.do(lambda: scan.babble(frame))
    with pytest.raises(cipherrun.WebSocketError):
        next(messages)


def test_what_is_new_is_passed_over(call: Caller, server: Running) -> None:
    """Messages about the connection that this package does not know are no progress and do no harm."""
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    scan = server.scan(scan_id)
    server.do(lambda: scan.babble('{"type": "weather", "message": "rain"}'))
    server.release(scan_id)
    assert kinds(list(messages)) == [("progress", 95), ("completed", 100)]


def test_the_time_is_limited(call: Caller) -> None:
    """A scan that does not end is given up when the time is over and not later."""
    scan_id = held(call)
    started = time.monotonic()
    with pytest.raises(cipherrun.TimeoutError, match=r"has not ended after 0\.6 s"):
        call("stream_progress", scan_id, 0.6)
    assert 0.5 < time.monotonic() - started < 1.6


def test_the_time_is_limited_in_an_outage(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """A server that does not come back is waited for until the time is over."""
    call = make(base_url=proxy.url, max_retries=1)
    scan_id = held(call)
    messages = call.progress(scan_id, 1.0, poll_interval=SOON)
    until(messages, 15)
    proxy.down()
    started = time.monotonic()
    with pytest.raises(cipherrun.TimeoutError):
        list(messages)
    assert time.monotonic() - started < 2


def test_a_server_that_was_never_there(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """Where nobody answers in the first place that is told at once."""
    proxy.down()
    with pytest.raises(cipherrun.ConnectionError):
        make(base_url=proxy.url)("stream_progress", "1")


def test_leaving_early_closes_the_connection(call: Caller, server: Running) -> None:
    """Who stops to listen leaves no connection behind."""
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    scan = server.scan(scan_id)
    messages.close()  # type: ignore[attr-defined]  # it is a generator
    server.wait(scan.deserted.wait())
    assert call("get_scan_status", scan_id).progress == 15


def test_a_scan_is_forgotten_while_it_ends(call: Caller, server: Running) -> None:
    """A scan that the server forgets right after its end has ended all the same."""
    server.standin.setup.remembered = 0
    scan_id = held(call)
    messages = call.progress(scan_id)
    until(messages, 15)
    server.release(scan_id)
    assert kinds(list(messages))[-1] == ("completed", 100)


def test_progress_without_a_client(server: Running) -> None:
    """The function for programs without asyncio returns a real iterator."""
    with cipherrun.CipherRunClient(server.url, "user") as client:
        scan = client.create_scan("a.test")
    messages = stream_progress_sync(server.url, scan.scan_id, "user", timeout=20)
    assert iter(messages) is messages
    assert kinds(list(messages))[-1] == ("completed", 100)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_progress_client_as_iterator(server: Running, scheme: str) -> None:
    """The client for progress iterates, whichever of the server's two schemes it is given."""

    async def watch() -> list[ProgressMessage]:
        async with AsyncCipherRunClient(server.url, "user") as client:
            scan = await client.create_scan("a.test")
        async with WebSocketProgressClient(server.url.replace("http", scheme), "user") as progress:
            return [message async for message in progress.stream_progress(scan.scan_id)]

    assert kinds(asyncio.run(watch()))[-1] == ("completed", 100)


def test_progress_client_with_callbacks(server: Running) -> None:
    """The client for progress calls functions and awaits coroutine functions."""
    heard: list[ProgressMessage] = []

    async def hear(message: ProgressMessage) -> None:
        await asyncio.sleep(0)
        heard.append(message)

    async def watch() -> None:
        async with AsyncCipherRunClient(server.url, "user") as client:
            scan = await client.create_scan("a.test")
            async with WebSocketProgressClient(server.url, "user") as progress:
                await progress.stream_progress_with_callback(scan.scan_id, hear)
                await progress.stream_progress_with_callback(scan.scan_id, heard.append)

    asyncio.run(watch())
    assert kinds(heard)[-2:] == [("completed", 100)] * 2


def test_cancelling_the_task_leaves_nothing(server: Running) -> None:
    """A task that listens can be cancelled; its connection is closed then."""

    async def watch() -> str:
        async with AsyncCipherRunClient(server.url, "user") as client:
            scan = await client.create_scan("hold.test")
            listening = asyncio.Event()

            async def listen() -> None:
                async for message in client.stream_progress(scan.scan_id):
                    if message.progress == 15:
                        listening.set()

            task = asyncio.create_task(listen())
            await listening.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return scan.scan_id

    server.wait(server.scan(asyncio.run(watch())).deserted.wait())


def test_a_hundred_scans_at_once(server: Running) -> None:
    """A hundred scans with progress on one client: each comes to its end, and its results are its own."""

    async def follow(client: AsyncCipherRunClient, number: int) -> tuple[str, str]:
        scan = await client.create_scan(f"t{number}.test")
        messages = [message async for message in client.stream_progress(scan.scan_id)]
        assert {message.scan_id for message in messages} == {scan.scan_id}
        assert [message.progress for message in messages] == sorted(message.progress for message in messages)
        results = await client.get_scan_results(scan.scan_id)
        return messages[-1].msg_type, results.target

    async def run() -> list[tuple[str, str]]:
        async with AsyncCipherRunClient(server.url, "user") as client:
            return await asyncio.gather(*(follow(client, number) for number in range(100)))

    assert asyncio.run(run()) == [("completed", f"t{number}.test:443") for number in range(100)]
    assert len(server.standin.created) == 100
