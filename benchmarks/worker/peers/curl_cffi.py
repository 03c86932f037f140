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
