"""The stand-in as a process of its own: prints its ports and, when stdin ends, what it cost."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from .broker import Broker
from .servers import listen_tcp, listen_ws


async def main() -> None:
    """Listen until stdin ends."""
    broker = Broker(remember=0)
    async with listen_tcp(broker) as tcp, listen_ws(broker) as ws:
        print(json.dumps({"tcp": tcp, "ws": ws}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    cost = os.times()
    print(json.dumps({"published": broker.published, "cpu": cost.user + cost.system}), flush=True)


asyncio.run(main())
