"""The servers that every client talks to: nginx, a sink for uploads, and an echo for WebSockets."""

from __future__ import annotations

import os
import shutil
import socket
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

HERE = Path(__file__).parent
SMALL = 1 << 10
LARGE = 100 << 20


@dataclass(frozen=True)
class Servers:
    """Base addresses, by what is spoken there, and the files that clients need."""

    http: str
    https: str
    http2: str
    fresh: str
    sink: str
    echo: str
    authority: Path
    file: Path


def find_nginx() -> str:
    """The path of nginx; as root it is installed when there is none."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which("nginx", path=path)
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"], check=True)
        found = shutil.which("nginx", path=path)
    if not found:
        raise SystemExit("benchmarks: nginx is needed: install it (Debian: apt-get install nginx-light)")
    return found


@contextmanager
def serve(folder: Path) -> Iterator[Servers]:
    """Run the servers until the block ends."""
    nginx = find_nginx()
    ports = free_ports("http", "https", "http2", "fresh", "sink", "echo")
    servers = prepare(folder, ports)
    commands = [
        [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")],
        *[[sys.executable, str(HERE / f"{name}.py"), str(ports[name])] for name in ("sink", "echo")],
    ]
    running = [subprocess.Popen(command) for command in commands]
    try:
        for port in ports.values():
            await_port(port)
        yield servers
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def prepare(folder: Path, ports: dict[str, int]) -> Servers:
    """Write the configuration, the certificates and the large file."""
    folder.chmod(0o755)  # nginx's workers are not root
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    large = folder / "large"
    large.write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
    values = {"folder": folder, "small": "x" * SMALL, "user": "user root;" if os.geteuid() == 0 else ""}
    template = string.Template((HERE / "nginx.conf").read_text())
    (folder / "nginx.conf").write_text(template.substitute(values, **ports))
    schemes = dict.fromkeys(ports, "https") | dict.fromkeys(("http", "sink", "echo"), "http")
    bases = {name: f"{schemes[name]}://127.0.0.1:{port}" for name, port in ports.items()}
    return Servers(**bases, authority=folder / "ca.pem", file=large)


def free_ports(*names: str) -> dict[str, int]:
    """A port for each name: free now, and hardly taken until nginx binds it."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: listening.getsockname()[1] for name, listening in sockets.items()}
    for listening in sockets.values():
        listening.close()
    return ports


def await_port(port: int) -> None:
    """Return when something listens there."""
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise SystemExit(f"benchmarks: nothing came to listen on port {port}")
