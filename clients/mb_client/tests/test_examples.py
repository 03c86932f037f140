"""The examples run against the stand-in, show what they promise, and are short."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from .conftest import Certificates, Protocol, listening
from .standin.broker import Broker

EXAMPLES = Path(__file__).parent.parent / "examples"
SHOWN = {
    "backpressure": "paused: True in order: True",
    "observe": "relayed: orders.created",
    "publish": "orders.created: {'id': 2}\nNO_ROUTE_FOUND",
    "reconnect": "reconnects: 0",
    "serve": "answer: {'left': 3}\nerror: INVALID_REQUEST: no such sku",
    "tcp_tls": "connected: True\nrefused: ",
}


@pytest.mark.parametrize("name", SHOWN)
async def test_example_shows_what_it_promises(name: str, broker: Broker, certificates: Certificates) -> None:
    """Each prints its point, and nothing on stderr."""
    secure = name == "tcp_tls"
    protocol: Protocol = "tcp" if secure else "ws"
    async with listening(protocol, broker, certificates.server if secure else None) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            EXAMPLES / f"{name}.py",
            str(port),
            *([str(certificates.authority)] if secure else []),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err.decode()) == (0, "")
    assert SHOWN[name] in out.decode()


def test_examples_are_short_and_all_tested() -> None:
    """15 to 30 lines each, and none is forgotten here."""
    lengths = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lengths.keys() == SHOWN.keys()
    assert all(15 <= length <= 30 for length in lengths.values())
