import cycletls


class Client:
    """Takes the authority from the environment (SSL_CERT_FILE): it has no option for it."""

    def __init__(self, ca: str, http2: bool) -> None:
        self._client = cycletls.CycleTLS()
        self.close = self._client.close

    def get(self, url: str) -> bytes:
        return self._client.get(url, enable_connection_reuse=True).content

    def upload(self, url: str, path: str) -> None:
        with open(path, "rb") as file:
            self._client.post(url, files={"file": file}).raise_for_status()
