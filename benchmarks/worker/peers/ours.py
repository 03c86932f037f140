import cycletls


class Client:
    def __init__(self, ca: str, http2: bool) -> None:
        self._session = cycletls.CycleTLS(profile="chrome", verify=ca)
        self.close = self._session.close

    def get(self, url: str) -> bytes:
        return self._session.get(url).content

    def upload(self, url: str, path: str) -> None:
        with open(path, "rb") as file:
            self._session.post(url, files={"file": file}).raise_for_status()
