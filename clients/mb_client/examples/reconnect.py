"""Stay connected: what is idempotent is sent again, the rest says that it may be lost.

python reconnect.py PORT
"""

import asyncio
import sys

from mb_client import Backoff, ConnectionLost, MessageBrokerClient


async def main(port: int) -> None:
    async with MessageBrokerClient(reconnect=Backoff(first=0.1, limit=10)) as client:
        client.on_connect(lambda: print("connected"))
        client.on_disconnect(lambda: print("lost"))
        client.on_error(lambda error: print("error:", error))
        await client.connect("localhost", port)
        await client.subscribe("orders.created")
        for number in range(3):
            await client.publish("orders.created", {"id": number}, idempotent=True)
        try:
            await client.publish("orders.created", {"id": 3})
        except ConnectionLost:
            print("order 3 may have arrived, or not")
        print("reconnects:", client.stats.reconnects)


asyncio.run(main(int(sys.argv[1])))
