"""Fixtures of all tests: certificates, local servers, and the watch that nothing leaves loopback or stays behind."""

from __future__ import annotations

import gc
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from servers import (
    Certificates,
    ScriptedServer,
    Servers,
    httpbin_servers,
    issue_certificates,
)

import cycletls
from cycletls import _carriers, _ffi, _sidecar
from cycletls._core import ask
from cycletls.testing import capture_server

LOOPBACK = ("127.", "::1", "localhost")
SETTLED = 5.0  # seconds for what closes by itself, on a busy machine


def refuse_other_hosts(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: no test, nor anything it calls in Python, connects beyond this machine."""
    address = arguments[1] if event == "socket.connect" else None
    if isinstance(address, tuple) and not address[0].startswith(LOOPBACK):
        raise RuntimeError(f"a test connects to {address}")


sys.addaudithook(refuse_other_hosts)

# Whatever proxies this machine has, those of the tests are on loopback.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

# A job that a shell runs in the background ignores SIGINT, and so would every process that the tests start from it.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Whoever runs the tests may have profiles of their own.
os.environ["XDG_DATA_HOME"] = os.devnull
os.environ.pop("CYCLETLS_PROFILES_DIR", None)


@pytest.fixture(scope="session", autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """After the last test the library holds no more, and the process has no more sockets, than before the first."""
    before = held()
    yield
    cycletls.close_global_session()
    _sidecar.end_own()
    assert settles(before)


def settles(before: dict[str, int]) -> bool:
    """Whether no more is held than before: what a closed exchange leaves ends by itself, but not at once."""
    end = time.monotonic() + SETTLED
    while True:
        gc.collect()
        if all(count <= before[name] for name, count in held().items()):
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.01)


CONTRACT = frozenset(
    """test_async test_cancel test_cookies test_download test_events test_failures test_headers test_redirects
    test_session test_streaming test_uploads test_websocket""".split()
)
"""What holds whichever way leads to the library: these tests run over both."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the contract twice."""
    if metafunc.module.__name__ in CONTRACT and not metafunc.definition.get_closest_marker("in_process"):
        metafunc.parametrize("carrier", ["ffi", "sidecar"], indirect=True)


@pytest.fixture(autouse=True)
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The way to the library where a test does not say it."""
    way: str = getattr(request, "param", "ffi")
    if way == "sidecar":
        cycletls.close_global_session()
        monkeypatch.setattr(_carriers, "current", _sidecar.own)
    yield way
    if way == "sidecar":
        cycletls.close_global_session()


def held() -> dict[str, int]:
    """How much of what can leak there is."""
    sockets = 0
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            sockets += str(descriptor.readlink()).startswith("socket:")
    stats = ask(_ffi, 0, {"type": "stats"})
    counted = ("sessions", "exchanges", "connections", "captures", "goroutines")
    return {"sockets": sockets, **{name: stats.get(name, 0) for name in counted}}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A test authority and a server's certificate for localhost, 127.0.0.1 and ::1."""
    return issue_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def ca_file(certificates: Certificates) -> str:
    """What to give as `verify`."""
    return str(certificates.authority)


@pytest.fixture(scope="session")
def servers(certificates: Certificates) -> Iterator[Servers]:
    """One httpbin over HTTP, HTTPS and HTTP/2."""
    with httpbin_servers(certificates) as running:
        yield running


@pytest.fixture(scope="session")
def httpbin(servers: Servers) -> str:
    """The address of httpbin over plain HTTP."""
    return servers.http


@pytest.fixture(scope="session")
def httpbin_tls(servers: Servers) -> str:
    """The address of httpbin over HTTP/1.1 and TLS."""
    return servers.https


@pytest.fixture(scope="session")
def httpbin_h2(servers: Servers) -> str:
    """The address of httpbin over HTTP/2 and TLS."""
    return servers.http2


@pytest.fixture(params=Servers._fields)
def transport(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The address of httpbin over each transport in turn."""
    address: str = getattr(servers, request.param)
    return address


@pytest.fixture(scope="session")
def echo() -> Iterator[str]:
    """The address of a server that answers with the request's head as it came."""
    with capture_server(tls=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def echo_tls(certificates: Certificates) -> Iterator[str]:
    """The same over TLS and, where the client offers it, HTTP/2: it answers with ClientHello and frames, too."""
    with capture_server(cert=str(certificates.server)) as server:
        yield server.url


@pytest.fixture
def scripted() -> type[ScriptedServer]:
    """Servers that play a script, over TCP."""
    return ScriptedServer


@pytest.fixture
def scripted_tls(certificates: Certificates) -> Callable[..., ScriptedServer]:
    """Servers that play a script, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    return partial(ScriptedServer, context=context)
