import primp


class Client:
    def __init__(self, ca: str, http2: bool) -> None:
        self._client = primp.Client(impersonate="chrome", ca_cert_file=ca)

    def close(self) -> None:
        del self._client

    def get(self, url: str) -> bytes:
        return self._client.get(url).content

    def upload(self, url: str, path: str) -> None:
        self._client.post(url, files={"file": path}).raise_for_status()


class AsyncClient:
    def __init__(self, ca: str, http2: bool) -> None:
        self._client = primp.AsyncClient(impersonate="chrome", ca_cert_file=ca)

    async def aclose(self) -> None:
        del self._client

    async def get(self, url: str) -> bytes:
        return (await self._client.get(url)).content
