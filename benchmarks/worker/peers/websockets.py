import ssl

import websockets.asyncio.client
import websockets.speedups  # the C extension: without it this would be no comparison
import websockets.sync.client


class Client:
    def __init__(self, ca: str, http2: bool) -> None:
        self._context = ssl.create_default_context(cafile=ca)

    def close(self) -> None:
        pass

    def websocket(self, url: str):
        return websockets.sync.client.connect(url, ssl=self._context if url.startswith("wss") else None)


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        self._context = ssl.create_default_context(cafile=ca)

    async def aclose(self) -> None:
        pass

    def websocket(self, url: str):
        return websockets.asyncio.client.connect(url, ssl=self._context if url.startswith("wss") else None)
