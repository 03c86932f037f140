"""Through proxies as they are deployed, over HTTP/1.1, TLS and HTTP/2; each is skipped where it is not installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from proxies import PLAIN_USERINFO, USERINFO, Command, danted, microsocks, missing, running, squid, tinyproxy
from servers import Certificates, Peer, ScriptedServer
from sockets import address, echo, served

from cycletls import AsyncCycleTLS, CycleTLS, ProxyError


@pytest.fixture(scope="module", params=[tinyproxy, squid, microsocks, danted], ids=lambda command: command.__name__)
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[tuple[Command, int]]:
    """Each real proxy in turn, with its port."""
    command: Command = request.param
    reason = missing(command)
    if reason:
        pytest.skip(reason)
    with running(command, tmp_path_factory.mktemp(command.__name__), certificates) as port:
        yield command, port


URLS = {
    tinyproxy: [f"http://{PLAIN_USERINFO}127.0.0.1"],
    squid: ["https://localhost"],
    microsocks: [f"socks5h://{USERINFO}localhost", f"socks5://{USERINFO}127.0.0.1"],
    danted: ["socks5h://127.0.0.1", "socks5://127.0.0.1", "socks4://127.0.0.1"],
}


def test_requests_go_through(real: tuple[Command, int], transport: str, ca_file: str) -> None:
    """GET and an upload, twice; what is connected to is the proxy."""
    command, port = real
    for url in URLS[command]:
        with CycleTLS(proxy=f"{url}:{port}", verify=ca_file) as session:
            for _ in range(2):
                response = session.post(f"{transport}/post", data={"a": "1" * 100_000})
                assert len(response.json()["form"]["a"]) == 100_000
                assert "Proxy-Authorization" not in response.json()["headers"]
                assert response.connection.remote_address.endswith(f":{port}")
            assert session.get(f"{transport}/get").status_code == 200


def test_requests_of_an_event_loop_go_through(real: tuple[Command, int], transport: str, ca_file: str) -> None:
    """Eight at once, and a streamed response."""
    command, port = real

    async def main(proxy: str) -> None:
        async with AsyncCycleTLS(proxy=proxy, verify=ca_file) as session:
            responses = await asyncio.gather(*[session.get(f"{transport}/get") for _ in range(8)])
            assert all(response.connection.remote_address.endswith(f":{port}") for response in responses)
            async with session.stream("GET", f"{transport}/bytes/100000") as response:
                assert len(await response.read()) == 100_000

    for url in URLS[command]:
        asyncio.run(main(f"{url}:{port}"))


def test_who_may_not_is_told_so(real: tuple[Command, int], httpbin_tls: str, ca_file: str) -> None:
    """Without the right credentials there is an error, which does not repeat the wrong ones, and no way around."""
    command, port = real
    if command not in (tinyproxy, microsocks):
        assert "@" not in "".join(URLS[command])
        return
    scheme = "http" if command is tinyproxy else "socks5h"
    for userinfo in ("", "user:secret@"):
        with CycleTLS(proxy=f"{scheme}://{userinfo}127.0.0.1:{port}", verify=ca_file) as session:
            with pytest.raises(ProxyError) as caught:
                session.get(f"{httpbin_tls}/get")
            assert caught.value.detail["proxy"] == f"{scheme}://127.0.0.1:{port}"
            assert "secret" not in str(caught.value)


def test_what_the_proxy_cannot_reach_is_its_error(real: tuple[Command, int], ca_file: str) -> None:
    """A port where nobody listens: each proxy says so in its own way, and all are one exception."""
    command, port = real
    for url in URLS[command]:
        with CycleTLS(proxy=f"{url}:{port}", verify=ca_file) as session, pytest.raises(ProxyError):
            session.get("https://127.0.0.1:1/")


def test_websockets_and_events_go_through(real: tuple[Command, int], ca_file: str) -> None:
    """Both of a thread and of a loop; what leads on is a tunnel, also in the clear."""
    command, port = real

    def stream(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n")
        peer.read_all()

    async def main(proxy: str, socket: str, events: str) -> None:
        async with AsyncCycleTLS(proxy=proxy, verify=ca_file) as session:
            async with session.websocket(socket) as ws:
                await ws.send("x" * 100_000)
                assert await ws.recv(timeout=10) == "x" * 100_000
            async with session.events(events) as source:
                assert (await anext(source)).data == "a"

    with served(echo) as server, ScriptedServer(stream) as source:
        for url in URLS[command]:
            with CycleTLS(proxy=f"{url}:{port}", verify=ca_file) as session:
                with session.websocket(address(server)) as ws:
                    ws.send("x" * 100_000)
                    assert ws.recv(timeout=10) == "x" * 100_000
                    assert ws.response.connection.remote_address.endswith(f":{port}")
                with session.events(source.url) as events:
                    assert next(events).data == "a"
            asyncio.run(main(f"{url}:{port}", address(server), source.url))
