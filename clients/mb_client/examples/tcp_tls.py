"""Over TCP with TLS, trusting the authority in a file.

python tcp_tls.py PORT ca.pem
"""

import asyncio
import sys

from mb_client import ConnectionFailed, MessageBrokerClient


async def main(port: int, ca: str) -> None:
    async with MessageBrokerClient("tcp", use_tls=True, ca=ca) as client:
        await client.connect("localhost", port)
        print("connected:", client.connected)
    async with MessageBrokerClient("tcp", use_tls=True) as suspicious:
        try:
            await suspicious.connect("localhost", port)
        except ConnectionFailed as exc:
            print("refused:", exc)


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
