"""A WebSocket with the browser's handshake: text is str, binary is bytes."""

import asyncio
import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://echo.websocket.org"
url = server.replace("http", "ws", 1) + "/echo"

with cycletls.CycleTLS() as client, client.websocket(url, subprotocols=["chat"]) as ws:
    ws.send("Hällo")
    ws.send(b"\x00\x01")
    print("received:", ws.recv(timeout=10), ws.recv(timeout=10))
print("closed with:", ws.close_code)


async def main() -> None:
    """Receive in one task while another sends."""
    async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
        sending = asyncio.gather(*(ws.send(f"message {number}") for number in range(3)))
        print("received:", sorted([await ws.recv() for _ in range(3)]))
        await sending


asyncio.run(main())
