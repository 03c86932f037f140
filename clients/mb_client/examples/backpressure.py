"""A slow handler: reading waits while the inbox is full, and each topic keeps its order.

python backpressure.py PORT
"""

import asyncio
import sys
from typing import Any

from mb_client import MessageBrokerClient, MessageHeader


async def main(port: int) -> None:
    handled: list[int] = []
    async with MessageBrokerClient(inbox=10) as slow, MessageBrokerClient() as quick:
        await slow.connect("localhost", port)
        await quick.connect("localhost", port)
        await slow.subscribe("orders.created", action="publish")

        @slow.on_message
        async def handle(header: MessageHeader, payload: Any) -> None:
            await asyncio.sleep(0.001)
            handled.append(payload)

        for number in range(200):
            await quick.publish("orders.created", number)
    print("paused:", slow.stats.pauses > 0, "in order:", handled == list(range(200)))


asyncio.run(main(int(sys.argv[1])))
