"""Capture servers: what a client sends, byte for byte, and the profile that it implies.

The server itself is golang/internal/capture; this starts it, asks it what it has
seen and gives that names.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _carriers
from ._core import ask
from ._envelope import milliseconds
from ._exceptions import SessionClosed
from ._headers import Headers

if TYPE_CHECKING:
    from ._models import Profile


class Frame(NamedTuple):
    """One HTTP/2 frame that the client sent; of DATA the payload is the beginning."""

    type: str
    flags: int
    stream: int
    length: int
    payload: bytes


class CapturedRequest:
    """A request as it came, and the connection that brought it.

    What HTTP/2 or TLS alone have is empty for a request without them.
    """

    def __init__(self, request: dict[str, Any], connection: dict[str, Any]) -> None:
        self._request = request
        self._connection = connection
        self._tls: dict[str, Any] = connection.get("tls") or {}
        self.method: str = request["method"]
        self.target: str = request["target"]
        self.kind: str = request["kind"]
        """What sort of request it is: navigate, fetch, xhr, image or websocket."""
        self.protocol: str = connection["connection"]["protocol"]
        self.connection: int = connection["connection"]["id"]
        """The number of the connection, counted from 1."""
        self.http1_head = b"" if self.protocol == "h2" else bytes.fromhex(request["head"])
        """HTTP/1.1: the bytes up to the blank line, that included."""
        self.header_block = bytes.fromhex(request["head"]) if self.protocol == "h2" else b""
        """HTTP/2: the fields as HPACK encoded them."""
        self.body = bytes.fromhex(request["body"]["content"])
        """The first 64 KiB of the content."""
        self.client_hello = bytes.fromhex(self._tls["hellos"][0]) if self._tls.get("hellos") else b""
        """The ClientHello, a handshake message with its header; the first one of two."""
        self.resumed: bool = self._tls.get("resumed", False)
        self.server_name: str = self._tls.get("serverName", "")
        self.ja3: str = self._tls.get("ja3", "")
        self.ja3_hash: str = self._tls.get("ja3Hash", "")
        self.ja4: str = self._tls.get("ja4", "")
        self.ja4_r: str = self._tls.get("ja4r", "")
        self.ja4_o: str = self._tls.get("ja4o", "")
        self.ja4_ro: str = self._tls.get("ja4ro", "")
        self.peetprint: str = self._tls.get("peetPrint", "")
        self.akamai: str = connection.get("akamai", "")

    @cached_property
    def fields(self) -> list[tuple[str, str]]:
        """All fields in the order and case of the wire, HTTP/2's pseudo-header fields among them."""
        return [(name, value) for name, value in self._request["fields"]]

    @cached_property
    def headers(self) -> Headers:
        """The fields without pseudo-header fields."""
        return Headers._of(field for field in self.fields if not field[0].startswith(":"))

    @property
    def header_names(self) -> list[str]:
        """The names of :attr:`headers`, in the order and case of the wire."""
        return [name for name, _ in self.headers.multi_items()]

    @cached_property
    def frames(self) -> list[Frame]:
        """The frames of the connection so far, those of other requests too."""
        return [
            Frame(frame["type"], frame["flags"], frame["stream"], frame["length"], bytes.fromhex(frame["payload"]))
            for frame in self._connection.get("frames", ())
        ]

    @cached_property
    def settings(self) -> list[tuple[int, int]]:
        """The client's first SETTINGS, in order."""
        payload = next((frame.payload for frame in self.frames if frame.type == "SETTINGS"), b"")
        entries = [payload[at : at + 6] for at in range(0, len(payload), 6)]
        return [(int.from_bytes(entry[:2], "big"), int.from_bytes(entry[2:], "big")) for entry in entries]

    def __repr__(self) -> str:
        return f"<CapturedRequest {self.method} {self.target} over {self.protocol}>"


class CaptureServer:
    """A server on loopback that remembers what clients send and answers with it, as JSON.

    It runs in the library, not in Python. A page of it, :attr:`start_page`, makes a
    browser send every kind of request.

    Args:
        address: where to listen, as ``host:port``; without a host on loopback, when empty on a free port of it.
        tls: whether to speak TLS.
        cert: PEM files of a certificate and its key, or one of both; made for the occasion when None.
        protocols: ALPN in the server's order of preference; HTTP/2 and HTTP/1.1 when None.
        retry: accept only a group that clients send no key for, so that they start anew (HelloRetryRequest).
        tickets: give session tickets, with which clients resume.

    Raises:
        InvalidOption: it cannot listen there, or the certificate cannot be read.
    """

    def __init__(
        self,
        address: str = "",
        *,
        tls: bool = True,
        cert: str | tuple[str, str] | None = None,
        protocols: Sequence[str] | None = None,
        retry: bool = False,
        tickets: bool = True,
    ) -> None:
        files = ("", "") if cert is None else (cert, cert) if isinstance(cert, str) else cert
        message = {
            "type": "capture",
            "address": address,
            "tls": tls,
            "certFile": files[0],
            "keyFile": files[1],
            "protocols": list(protocols or ()),
            "retry": retry,
            "noTickets": not tickets,
        }
        self._carrier = _carriers.current()
        made = ask(self._carrier, 0, {name: value for name, value in message.items() if value})
        self._handle: int = made["handle"]
        self._close = weakref.finalize(self, self._carrier.close, self._handle)
        self._authority: str = made.get("authority", "")
        self.url: str = made["url"]
        self.certificate: bytes = made.get("leaf", b"")
        """The server's certificate in DER, empty without TLS."""
        self.key_pin: str = made.get("keyPin", "")
        """Base64 of the SHA-256 of its public key."""

    @property
    def start_page(self) -> str:
        """The address of a page that sends every kind of request."""
        return f"{self.url}/pages/start"

    @cached_property
    def ca_file(self) -> str:
        """A file to give as ``verify``. It goes with the server."""
        descriptor, path = tempfile.mkstemp(".pem", "cycletls-capture-")
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(self._authority)
        weakref.finalize(self, _delete, path)
        return path

    def document(self, requests: int = 0, target: str = "", timeout: float = 10.0) -> str:
        """Return what was seen as JSON.

        Args:
            requests: wait until there have been so many requests in all,
            target: and one whose target begins like this,
            timeout: but no longer than so many seconds.

        Raises:
            SessionClosed: the server was closed.
        """
        if not self._close.alive:
            raise SessionClosed("the capture server was closed")
        message: dict[str, Any] = {"type": "captured"}
        if requests or target:
            message |= {"requests": requests, "target": target, "timeout": milliseconds(timeout)}
        text: str = ask(self._carrier, self._handle, message)["text"]
        return text

    def wait(self, requests: int = 1, target: str = "", timeout: float = 10.0) -> list[CapturedRequest]:
        """Return the requests so far, once there are enough; see :meth:`document`.

        Raises:
            TimeoutError: there were not.
        """
        found = _requests(json.loads(self.document(requests, target, timeout)))
        if len(found) < requests or not any(request.target.startswith(target) for request in found):
            last = f", the last for {found[-1].target}" if found else ""
            raise TimeoutError(f"{len(found)} requests came within {timeout} s{last}")
        return found

    @property
    def requests(self) -> list[CapturedRequest]:
        """The requests so far, in the order in which they were complete."""
        return _requests(json.loads(self.document()))

    @property
    def last(self) -> CapturedRequest:
        """The last request.

        Raises:
            LookupError: there was none.
        """
        requests = self.requests
        if not requests:
            raise LookupError("no request has come yet")
        return requests[-1]

    @property
    def connections(self) -> list[dict[str, Any]]:
        """The connections so far as the core describes them, those that sent no request and those that failed too."""
        connections: list[dict[str, Any]] = json.loads(self.document())["connections"]
        return connections

    def profile(self, name: str = "captured", **source: str) -> Profile:
        """Return the profile that the captured requests imply, which must be those of one client.

        Args:
            name: what to call it.
            source: ``browser``, ``version`` and ``os``, to be written into it.

        Raises:
            InvalidOption: what was captured is not enough for a profile.
        """
        return implied_profile([self.document()], name, **source)

    def close(self) -> None:
        """Stop listening and end all connections. Closing twice is harmless."""
        self._close()

    def __enter__(self) -> CaptureServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def implied_profile(documents: Sequence[str], name: str, **source: str) -> Profile:
    """Return the profile of the one client that several captures show, such as one of HTTP/2 and one of HTTP/1.1."""
    from ._models import as_profile

    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    message = {"type": "imply", "captures": list(documents), "name": name, "date": today, **source}
    return as_profile(json.loads(ask(_carriers.current(), 0, message)["text"]))


def _delete(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _requests(log: dict[str, Any]) -> list[CapturedRequest]:
    found = [(request, connection) for connection in log["connections"] for request in connection["requests"] or ()]
    found.sort(key=lambda pair: pair[0]["number"])
    return [CapturedRequest(request, connection) for request, connection in found]
