import ssl

import httpx


class Client:
    def __init__(self, ca: str, http2: bool) -> None:
        self._client = httpx.Client(http2=http2, verify=ssl.create_default_context(cafile=ca))
        self.close = self._client.close

    def get(self, url: str) -> bytes:
        return self._client.get(url).content

    def upload(self, url: str, path: str) -> None:
        with open(path, "rb") as file:
            self._client.post(url, files={"file": file}).raise_for_status()

    def stream(self, url: str) -> int:
        with self._client.stream("GET", url) as response:
            return sum(len(piece) for piece in response.iter_bytes())


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(http2=http2, verify=ssl.create_default_context(cafile=ca), limits=limits)
        self.aclose = self._client.aclose

    async def get(self, url: str) -> bytes:
        return (await self._client.get(url)).content

    async def stream(self, url: str) -> int:
        total = 0
        async with self._client.stream("GET", url) as response:
            async for piece in response.aiter_bytes():
                total += len(piece)
        return total
