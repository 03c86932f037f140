"""Fingerprints of what a server saw (golang/internal/capture), computed apart from the code that they judge."""

from __future__ import annotations

import hashlib
import struct
from typing import Any, NamedTuple

SNI, GROUPS, POINT_FORMATS, SIGNATURES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43


class Hello(NamedTuple):
    """A ClientHello, GREASE taken out."""

    version: int
    ciphers: list[int]
    extensions: dict[int, bytes]


def parse_hello(message: bytes) -> Hello:
    """Read a handshake message (RFC 8446 section 4.1.2)."""
    version, at = struct.unpack_from("!H", message, 4)[0], 4 + 2 + 32
    at += 1 + message[at]
    size = struct.unpack_from("!H", message, at)[0]
    ciphers = _numbers(message[at + 2 : at + 2 + size])
    at += 2 + size
    at += 1 + message[at] + 2
    extensions = {}
    while at < len(message):
        kind, size = struct.unpack_from("!HH", message, at)
        extensions[kind] = message[at + 4 : at + 4 + size]
        at += 4 + size
    return Hello(version, ciphers, {kind: body for kind, body in extensions.items() if not _is_grease(kind)})


def ja3(hello: Hello) -> str:
    """The JA3 string, not hashed."""
    groups = _numbers(hello.extensions.get(GROUPS, b"")[2:])
    formats = list(hello.extensions.get(POINT_FORMATS, b"")[1:])
    lists = (hello.ciphers, list(hello.extensions), groups, formats)
    return ",".join([str(hello.version), *("-".join(map(str, numbers)) for numbers in lists)])


def ja4(hello: Hello) -> str:
    """The JA4 of a hello over TCP."""
    version = max(_numbers(hello.extensions.get(VERSIONS, b"")[1:]), default=hello.version)
    sni = "d" if SNI in hello.extensions else "i"
    names = ",".join(sorted(f"{kind:04x}" for kind in hello.extensions if kind not in (SNI, ALPN)))
    signatures = ",".join(f"{code:04x}" for code in _numbers(hello.extensions.get(SIGNATURES, b"")[2:]))
    shape = f"t1{version - 0x0301}{sni}{len(hello.ciphers):02}{len(hello.extensions):02}{_first_protocol(hello)}"
    ciphers = _short_hash(",".join(sorted(f"{code:04x}" for code in hello.ciphers)))
    return f"{shape}_{ciphers}_{_short_hash('_'.join(filter(None, [names, signatures])))}"


def akamai(report: dict[str, Any]) -> str:
    """The HTTP/2 fingerprint of a connection's frames and first request."""
    settings = window = "0"
    priorities = []
    for frame in report["frames"]:
        payload = bytes.fromhex(frame["payload"])
        if frame["type"] == "SETTINGS" and not frame["flags"] & 1:
            settings = ";".join(f"{key}:{value}" for key, value in struct.iter_unpack("!HI", payload))
        elif frame["type"] == "WINDOW_UPDATE" and not frame["stream"]:
            window = str(struct.unpack("!I", payload)[0])
        elif frame["type"] == "PRIORITY":
            dependency, weight = struct.unpack("!IB", payload)
            priorities.append(f"{frame['stream']}:{dependency >> 31}:{dependency & 0x7FFFFFFF}:{weight + 1}")
        elif frame["type"] == "HEADERS":
            break
    pseudo = ",".join(name[1] for name, _ in report["request"]["fields"] if name.startswith(":"))
    return "|".join([settings, window, ",".join(priorities) or "0", pseudo])


def _first_protocol(hello: Hello) -> str:
    """First and last character of the first ALPN protocol."""
    offered = hello.extensions.get(ALPN, b"")[2:]
    protocol = offered[1 : 1 + offered[0]].decode("ascii") if offered else "00"
    return protocol[0] + protocol[-1]


def _numbers(data: bytes) -> list[int]:
    """A list of 16-bit code points, without GREASE (RFC 8701)."""
    return [code for (code,) in struct.iter_unpack("!H", data) if not _is_grease(code)]


def _is_grease(code: int) -> bool:
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
