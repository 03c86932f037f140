"""Run the examples against a stand-in broker, and show what they print: ``python -m tests.demo``."""

from __future__ import annotations

import asyncio
import ssl
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import trustme

from .standin.broker import Broker
from .standin.servers import listen_tcp, listen_ws

EXAMPLES = Path(__file__).parent.parent / "examples"


async def main() -> None:
    """Run one after the other, each with a broker of its own."""
    for example in sorted(EXAMPLES.glob("*.py")):
        print(f"--- {example.name}: {example.read_text().splitlines()[0].strip(chr(34))}", flush=True)
        async with AsyncExitStack() as stack:
            arguments = await broker_for(example, stack)
            process = await asyncio.create_subprocess_exec(sys.executable, example, *arguments)
            if await process.wait():
                sys.exit(f"{example.name} failed")


async def broker_for(example: Path, stack: AsyncExitStack) -> list[str]:
    """Start the broker that an example is for; return the example's arguments."""
    if not example.stem.endswith("tls"):
        return [str(await stack.enter_async_context(listen_ws(Broker())))]
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return [str(await stack.enter_async_context(listen_tcp(Broker(), context))), str(folder / "ca.pem")]


asyncio.run(main())
