"""npm's client and the sidecar that serves it, as processes of the tests."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

FOLDER = Path(__file__).parent / "node"
COMMAND = (str(Path(sys.executable).with_name("cycletls")), "sidecar", "--node")
INSTALLED = which("node") is not None and FOLDER.joinpath("node_modules", "cycletls").is_dir()


@contextmanager
def node_sidecar() -> Iterator[int]:
    """Run a sidecar for npm's client, as its user starts it, and yield its port."""
    command = [*COMMAND, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            address: str = json.loads(process.stdout.readline())["address"]
            yield int(address.rpartition(":")[2])
        finally:
            process.kill()


class Npm:
    """npm's client in a process of its own; tests/node/driver.js is its other half."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "driver.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._asked = 0

    def __enter__(self) -> Npm:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def init(self, **options: object) -> None:
        """Call initCycleTLS."""
        self._call("init", options)

    def request(self, method: str, url: str, **options: object) -> dict[str, Any]:
        """Send a request and return the response; bytes in it are bytes."""
        response: dict[str, Any] = self._call("request", method, url, options)
        if "data" in response:
            response["data"] = _unpacked(response["data"])
        return response

    def together(self, urls: list[str]) -> list[str]:
        """Send GETs at once and return the bodies."""
        bodies: list[str] = self._call("together", urls)
        return bodies

    def read(self, stream: int) -> bytes | None:
        """Return the next piece of a stream, None at its end."""
        piece: bytes | None = _unpacked(self._call("read", stream))
        return piece

    def destroy(self, stream: int) -> None:
        """Have no more of a stream."""
        self._call("destroy", stream)

    def exit(self) -> None:
        """End the client, and a server that it has started."""
        self._call("exit")

    def _call(self, name: str, *given: object) -> Any:
        self._asked += 1
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"id": self._asked, "do": name, "with": given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == self._asked
        if "error" in answer:
            raise NpmError(answer["error"])
        return answer["value"]


class NpmError(Exception):
    """What npm's client throws."""


def _unpacked(value: Any) -> Any:
    """Return bytes where the driver has packed them."""
    return base64.b64decode(value["base64"]) if isinstance(value, dict) and value.keys() == {"base64"} else value
