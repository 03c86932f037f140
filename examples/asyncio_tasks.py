"""Many requests at once with asyncio, from one thread; cancelling a task cancels its request on the wire."""

import asyncio
import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"


async def main() -> None:
    async with cycletls.AsyncCycleTLS(base_url=server) as client:
        pages = await asyncio.gather(*(client.get("/anything", params={"page": n}) for n in range(20)))
        print("pages:", [page.json()["args"]["page"] for page in pages[:3]], "… of", len(pages))

        try:
            await asyncio.wait_for(client.get("/delay/10"), 0.5)
        except asyncio.TimeoutError:
            print("given up after half a second; the session goes on:", (await client.get("/get")).status_code)


asyncio.run(main())
