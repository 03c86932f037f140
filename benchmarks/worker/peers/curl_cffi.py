import curl_cffi


class Client:
    def __init__(self, ca: str, http2: bool) -> None:
        self._session = curl_cffi.Session(impersonate="chrome", verify=ca)
        self.close = self._session.close

    def get(self, url: str) -> bytes:
        return self._session.get(url).content

    def upload(self, url: str, path: str) -> None:
        form = curl_cffi.CurlMime()
        form.addpart(name="file", filename="file", local_path=path)
        self._session.post(url, multipart=form).raise_for_status()
        form.close()

    def stream(self, url: str) -> int:
        with self._session.stream("GET", url) as response:
            return sum(len(piece) for piece in response.iter_content())


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        self._session = curl_cffi.AsyncSession(impersonate="chrome", verify=ca, max_clients=1000)
        self.aclose = self._session.close

    async def get(self, url: str) -> bytes:
        return (await self._session.get(url)).content

    async def stream(self, url: str) -> int:
        total = 0
        async with self._session.stream("GET", url) as response:
            async for piece in response.aiter_content():
                total += len(piece)
        return total
