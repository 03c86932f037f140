"""Servers and clients for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from colours import COLOURS, Caller
from faults import Proxy, proxied
from serving import Running, serving
from standin import Setup

MakeCaller = Callable[..., Caller]


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    """Either colour of a client."""
    return str(request.param)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """A stand-in of the server that lasts as long as the tests."""
    with serving() as running:
        yield running


@pytest.fixture
def server(running: Running) -> Running:
    """A stand-in of the server that knows nothing of other tests."""
    running.do(lambda: running.standin.reset(Setup()))
    return running


@pytest.fixture
def make(colour: str, server: Running) -> Iterator[MakeCaller]:
    """Makes clients of the server that pause only shortly before they try again."""
    callers: list[Caller] = []

    def make(key: str | None = "user", base_url: str | None = None, **options: Any) -> Caller:
        options = {"retry_backoff": 0.01, "timeout": 10, **options}
        callers.append(COLOURS[colour](base_url or server.url, key, **options))
        return callers[-1]

    yield make
    for caller in callers:
        caller.close()


@pytest.fixture
def call(make: MakeCaller) -> Caller:
    """A client that may do everything a user may."""
    return make()


@pytest.fixture
def proxy(server: Running) -> Iterator[Proxy]:
    """A proxy before the stand-in that breaks connections as it is told."""
    with proxied(server) as proxy:
        yield proxy
