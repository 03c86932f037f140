"""Messages over a WebSocket, each in a text message of its own."""

from __future__ import annotations

from collections.abc import Sequence

import cycletls

from ._exceptions import ConnectionLost
from ._transport import Transport


class WebSocketClient(Transport):
    """A connection over WebSocket, or over TLS below it, that carries whole messages."""

    async def _open(self, host: str, port: int, use_tls: bool) -> None:
        raise ConnectionLost("to come")

    async def _receive(self) -> None:
        raise ConnectionLost("the connection was closed")

    async def _write(self, messages: Sequence[str]) -> None:
        raise ConnectionLost("the connection was closed")

    async def _close(self) -> None:
        cycletls.close_global_session()

    def _abort(self) -> None:
        pass
