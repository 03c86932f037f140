import threading
from io import BytesIO

import pycurl


class Client:
    """A handle for each thread: libcurl's handles cannot be shared."""

    def __init__(self, ca: str, http2: bool) -> None:
        self._ca = ca
        self._version = pycurl.CURL_HTTP_VERSION_2TLS if http2 else pycurl.CURL_HTTP_VERSION_1_1
        self._local = threading.local()

    def close(self) -> None:
        del self._local

    def _handle(self) -> pycurl.Curl:
        if not hasattr(self._local, "handle"):
            handle = self._local.handle = pycurl.Curl()
            handle.setopt(pycurl.CAINFO, self._ca)
            handle.setopt(pycurl.HTTP_VERSION, self._version)
            handle.setopt(pycurl.NOSIGNAL, 1)
        return self._local.handle

    def get(self, url: str) -> bytes:
        handle, body = self._handle(), BytesIO()
        handle.setopt(pycurl.HTTPGET, 1)
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.WRITEDATA, body)
        handle.perform()
        return body.getvalue()

    def upload(self, url: str, path: str) -> None:
        handle = self._handle()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPPOST, [("file", (pycurl.FORM_FILE, path))])
        handle.setopt(pycurl.WRITEDATA, BytesIO())
        handle.perform()
