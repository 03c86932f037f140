"""Subscribe to a topic, and publish on it.

python publish.py PORT
"""

import asyncio
import sys
from typing import Any

from mb_client import MessageBrokerClient, MessageHeader, NoRouteFound


async def main(port: int) -> None:
    async with MessageBrokerClient() as client:
        await client.connect("localhost", port)
        await client.subscribe("orders.created")

        @client.on_message
        def show(header: MessageHeader, payload: Any) -> None:
            print(f"{header.topic}: {payload}")

        for number in range(3):
            await client.publish("orders.created", {"id": number})
        try:
            await client.publish("orders.lost", {"id": 3})
        except NoRouteFound as exc:
            print(exc)


asyncio.run(main(int(sys.argv[1])))
