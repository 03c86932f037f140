import cycletls


class Client:
    profile = "chrome"

    def __init__(self, ca: str, http2: bool) -> None:
        self._session = cycletls.CycleTLS(profile=self.profile, verify=ca)
        self.close = self._session.close

    def get(self, url: str) -> bytes:
        return self._session.get(url).content

    def upload(self, url: str, path: str) -> None:
        with open(path, "rb") as file:
            self._session.post(url, files={"file": file}).raise_for_status()

    def websocket(self, url: str) -> cycletls.WebSocket:
        return self._session.websocket(url)

    def stream(self, url: str) -> int:
        with self._session.stream("GET", url) as response:
            return sum(len(piece) for piece in response.iter_bytes(65536))


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        self._session = cycletls.AsyncCycleTLS(profile="chrome", verify=ca)
        self.aclose = self._session.aclose

    async def get(self, url: str) -> bytes:
        return (await self._session.get(url)).content

    def websocket(self, url: str):
        return self._session.websocket(url)

    async def stream(self, url: str) -> int:
        total = 0
        async with self._session.stream("GET", url) as response:
            async for piece in response.iter_bytes(65536):
                total += len(piece)
        return total
