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
