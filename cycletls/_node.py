"""The sidecar for the npm package ``cycletls``: started by hand, or by npm's client as its own server.

The client finds whoever listens on its port already; else it starts the program
that ``executablePath`` names, with nothing but WS_PORT in its environment.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ._carriers import current
from ._core import ask
from ._envelope import node_message
from ._exceptions import InvalidOption, RequestException
from ._live import EventOptions
from ._options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PORT: Final = 9119
"""Where npm's client looks unless it is told otherwise."""

LONELY: Final = 60.0
"""Seconds after which a server that a client has started ends when there is none left: clients may crash."""

CAVEAT: Final = (
    "npm's client has no token: until this ends, every program on this machine may send requests through it "
    "(pages in browsers may not)"
)
"""What is given up for clients that cannot say who they are."""


class NodeSidecar:
    """A sidecar for npm's client on loopback.

    Args:
        port: where it listens; 0 is a free one.
        idle_exit: seconds after which it ends when there is no client; None is never.

    Raises:
        InvalidOption: the port cannot be had.
    """

    def __init__(self, port: int, idle_exit: float | None = None) -> None:
        self._carrier = current()
        message = node_message(Options({}), EventOptions.max_event_bytes, f"127.0.0.1:{port}", idle_exit)
        serving = ask(self._carrier, 0, message)
        self.address: str = serving["address"]
        self._handle: int = serving["handle"]

    def wait(self) -> None:
        """Wait until it ends; signal handlers run meanwhile."""
        ask(self._carrier, self._handle, {"type": "served"})


def write_executable(path: Path) -> None:
    """Write a program for ``executablePath``: it needs no environment, and npm's client ends it by killing it."""
    command = shlex.join([sys.executable, "-I", "-m", __name__])
    path.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
    path.chmod(0o755)


def main() -> None:
    """Serve the client that has started this process. It shows its users what is printed, so nothing is."""
    try:
        NodeSidecar(int(os.environ.get("WS_PORT", PORT)), LONELY).wait()
    except (ValueError, InvalidOption):
        # In other words than the system's: the client starts the program anew for those, for ever.
        sys.exit("cycletls: WS_PORT is no port, or one that is taken")
    except (RequestException, KeyboardInterrupt) as exc:
        sys.exit(f"cycletls: {exc or 'interrupted'}")


if __name__ == "__main__":
    main()
