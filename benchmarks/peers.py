"""The clients, and a virtual environment for those that are not ours."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
STEERING = re.compile(r"(?i)_proxy$|_ca_bundle$|^ssl_cert_|^python")


@dataclass(frozen=True)
class Peer:
    """One client: its module in worker/peers, what pip installs for it, what is special."""

    name: str
    module: str
    package: str
    requirements: str | None = "requirements.txt"
    missing: Mapping[str, str] = field(default_factory=dict, hash=False)  # work or protocol: why it cannot
    note: str = ""
    everywhere: bool = True  # not only in rows that name it
    instead: Mapping[str, str] = field(default_factory=dict, hash=False)  # of a work: another one to compare it with


WAITS = dict.fromkeys(("tasks", "astream", "astart"), "has no asyncio client")
ASYNC_ONLY = dict.fromkeys(
    ("sequential", "threads", "handshakes", "sessions", "download", "stream", "upload", "start", "hosts"),
    "is measured with asyncio",
)
BUFFERS = dict.fromkeys(("stream", "astream"), "has no streamed responses")

PEERS = (
    Peer("ours", "ours", "cycletls", requirements=None),
    Peer("ours (sync)", "ours", "cycletls", requirements=None, everywhere=False, instead={"astart": "start"}),
    Peer("pycurl", "pycurl", "pycurl", missing=WAITS | BUFFERS, note="a handle per thread, as libcurl demands"),
    Peer("primp", "primp", "primp", missing=BUFFERS, note="imitates Chrome"),
    Peer("curl_cffi", "curl_cffi", "curl_cffi", note="imitates Chrome; a handle per thread"),
    Peer("httpx", "httpx", "httpx"),
    Peer("wreq", "wreq", "wreq", missing=ASYNC_ONLY, note="imitates Chrome; asyncio rows only"),
    Peer("aiohttp", "aiohttp", "aiohttp", missing=ASYNC_ONLY | {"HTTP/2.0": "speaks no HTTP/2"}, note="asyncio only"),
    Peer(
        "requests",
        "requests",
        "requests",
        missing=WAITS | {"HTTP/2.0": "speaks no HTTP/2", "stream": "not asked"},
        note="holds a multipart body in memory",
    ),
    Peer(
        "cycletls 0.0.5",
        "cycletls_005",
        "cycletls",
        requirements="requirements-cycletls-0.0.5.txt",
        missing=WAITS | BUFFERS | {"sessions": "keeps connections for the process: a new object is no new session"},
        note="the package of our name that is on PyPI; imitates Chrome; TLS 1.2 where a server allows it",
    ),
    Peer(
        "websockets",
        "websockets",
        "websockets",
        note="its C extension on; WebSocket rows only",
        everywhere=False,
    ),
    Peer(
        "plain profile",
        "plain",
        "cycletls",
        requirements=None,
        note="ours with the smallest profile in place of Chrome's",
        everywhere=False,
    ),
)


@cache
def interpreter(peer: Peer) -> Path:
    """The Python that has the client installed; made at the first call."""
    if peer.requirements is None:
        return Path(sys.executable)
    wanted = HERE / peer.requirements
    folder = ROOT / ".cache" / "benchmarks" / wanted.stem
    python = folder / "bin" / "python"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", wanted], check=True)
        stamp.write_text(digest)
    return python


def version(peer: Peer) -> str:
    """The version that is measured."""
    code = f"from importlib.metadata import version; print(version({peer.package!r}))"
    if peer.requirements is None:
        code = "import cycletls; print(cycletls.__version__)"
    command = [str(interpreter(peer)), "-c", code]
    # Not from the root, where the metadata of ours would be found for PyPI's.
    done = subprocess.run(command, cwd=HERE, env=environment(peer), check=True, capture_output=True, text=True)
    return done.stdout.strip()


def environment(peer: Peer, **more: str) -> dict[str, str]:
    """The environment of a client's process, free of what would turn its requests or its trust elsewhere."""
    own = {name: value for name, value in os.environ.items() if not STEERING.search(name)}
    if peer.requirements is None:
        own["PYTHONPATH"] = str(ROOT)
    return own | more
