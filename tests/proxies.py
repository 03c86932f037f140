"""Real proxies to test against, each as its own process on loopback: tinyproxy, squid, microsocks and danted."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import READY, Certificates

USER, PASSWORD = "user", "p@ss:w/rd"
USERINFO = "user:p%40ss%3Aw%2Frd@"
PLAIN_USERINFO = "user:p%2Ess@"
"""What tinyproxy's configuration can say."""

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogLevel Critical
BasicAuth user p.ss
"""
SQUID = """
https_port 127.0.0.1:{port} tls-cert={certificate}
http_access allow all
pid_filename none
cache_log stdio:/dev/null
access_log none
cache_store_log none
cache deny all
shutdown_lifetime 0 seconds
"""
DANTED = """
logoutput: /dev/null
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
"""


def tinyproxy(port: int, folder: Path, certificates: Certificates) -> list[str]:
    """An http proxy that wants credentials."""
    return ["tinyproxy", "-d", "-c", _write(folder / "tinyproxy.conf", TINYPROXY.format(port=port))]


def squid(port: int, folder: Path, certificates: Certificates) -> list[str]:
    """A proxy that is spoken to over TLS."""
    return [
        "squid",
        "-N",
        "-f",
        _write(folder / "squid.conf", SQUID.format(port=port, certificate=certificates.server)),
    ]


def microsocks(port: int, folder: Path, certificates: Certificates) -> list[str]:
    """A SOCKS 5 proxy that wants credentials."""
    return ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", USER, "-P", PASSWORD]


def danted(port: int, folder: Path, certificates: Certificates) -> list[str]:
    """A SOCKS 4 and 5 proxy without credentials."""
    return ["danted", "-f", _write(folder / "danted.conf", DANTED.format(port=port))]


Command = Callable[[int, Path, Certificates], list[str]]


def missing(command: Command) -> str | None:
    """Return why a proxy cannot be tested here, or None."""
    name = command.__name__
    return None if shutil.which(name, path=PATH) else f"{name} is not installed: `make proxies` does that"


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def running(command: Command, folder: Path, certificates: Certificates) -> Iterator[int]:
    """Run a proxy and yield its port."""
    port = _free_port()  # none of them takes a socket that is open, nor says which port it was given
    program, *arguments = command(port, folder, certificates)
    process = subprocess.Popen(
        [shutil.which(program, path=PATH) or program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_listener(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.01)
