"""Look into the broker: its services, topics, figures, log, and what it relays.

python observe.py PORT
"""

import asyncio
import sys

from mb_client import MessageBrokerClient


async def main(port: int) -> None:
    async with MessageBrokerClient() as client:
        await client.connect("localhost", port)
        await client.register_service("Observer", "Looks around")
        await client.subscribe_logs(lambda entry: print("log:", entry["message"]), levels=["warn", "error"])
        await client.subscribe_messages(lambda seen: print("relayed:", seen["message"]["header"]["topic"]))
        await client.subscribe("orders.created", action="publish")
        await client.publish("orders.created", {"id": 7})
        print("services:", [service.name for service in await client.services()])
        print("topics:", [topic.topic for topic in await client.topics()])
        print("registered:", (await client.metrics())["registry.count"])


asyncio.run(main(int(sys.argv[1])))
