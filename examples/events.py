"""Server-sent events: the stream is gone on with where its connection ends."""

import asyncio
import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"

with cycletls.CycleTLS(base_url=server) as client, client.events("/events", retry=0.1) as events:
    for event in events:  # ends when the server answers 204 (No Content)
        print(event.event, event.data, "id:", event.id)


async def main() -> None:
    """Go on after an event of before."""
    async with cycletls.AsyncCycleTLS(base_url=server) as client:
        seen = [event.data async for event in client.events("/events", last_event_id="1", retry=0.1)]
        print("after the first:", seen)


asyncio.run(main())
