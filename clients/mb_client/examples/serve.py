"""Answer requests, and ask: what a handler returns or raises goes back.

python serve.py PORT
"""

import asyncio
import sys
from typing import Any

from mb_client import BrokerError, MessageBrokerClient, MessageHeader


async def main(port: int) -> None:
    async with MessageBrokerClient() as client:
        await client.connect("localhost", port)

        @client.serve("stock.check")
        async def stock(header: MessageHeader, payload: Any) -> Any:
            if payload["sku"] > 100:
                raise BrokerError("INVALID_REQUEST", "no such sku")
            return {"left": 3}

        print("answer:", await client.request("stock.check", {"sku": 1}, timeout=5000))
        try:
            await client.request("stock.check", {"sku": 101})
        except BrokerError as exc:
            print("error:", exc)


asyncio.run(main(int(sys.argv[1])))
