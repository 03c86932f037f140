import ssl

import aiohttp


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=ca))
        self._session = aiohttp.ClientSession(connector=connector)

    async def aclose(self) -> None:
        await self._session.close()

    async def get(self, url: str) -> bytes:
        async with self._session.get(url) as response:
            return await response.read()

    async def stream(self, url: str) -> int:
        total = 0
        async with self._session.get(url) as response:
            async for piece in response.content.iter_chunked(65536):
                total += len(piece)
        return total
