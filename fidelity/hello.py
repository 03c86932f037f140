"""A ClientHello (RFC 8446 section 4.1.2) taken apart, with what is drawn per connection written as its rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

GROUPS, ALGORITHMS, PSK, VERSIONS, KEY_SHARE, ECH = 0x000A, 0x000D, 0x0029, 0x002B, 0x0033, 0xFE0D

NAMES: Final = {
    0x0000: "server_name",
    0x0005: "status_request",
    GROUPS: "supported_groups",
    0x000B: "ec_point_formats",
    ALGORITHMS: "signature_algorithms",
    0x0010: "alpn",
    0x0012: "signed_certificate_timestamp",
    0x0015: "padding",
    0x0017: "extended_master_secret",
    0x001B: "compress_certificate",
    0x001C: "record_size_limit",
    0x0022: "delegated_credentials",
    0x0023: "session_ticket",
    PSK: "pre_shared_key",
    0x002A: "early_data",
    VERSIONS: "supported_versions",
    0x002C: "cookie",
    0x002D: "psk_key_exchange_modes",
    KEY_SHARE: "key_share",
    0x44CD: "application_settings",
    0xCA34: "trust_anchors",
    ECH: "encrypted_client_hello",
    0xFF01: "renegotiation_info",
}


class Hello(NamedTuple):
    """The parts of one."""

    version: bytes
    random: bytes
    session_id: bytes
    ciphers: list[int]
    compression: bytes
    extensions: list[tuple[int, bytes]]


def parse(message: bytes) -> Hello:
    """Take a handshake message apart, its four bytes of header included."""
    reader = _Reader(message[4:])
    version, random, session_id = reader.take(2), reader.take(32), reader.vector(1)
    ciphers, compression = codes(reader.vector(2)), reader.vector(1)
    rest, extensions = _Reader(reader.vector(2)), []
    while rest.left:
        extensions.append((int.from_bytes(rest.take(2), "big"), rest.vector(2)))
    return Hello(version, random, session_id, ciphers, compression, extensions)


def is_grease(code: int) -> bool:
    """Whether a code point is one of RFC 8701's sixteen."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def codes(data: bytes) -> list[int]:
    """Read numbers of 16 bits."""
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def extension_name(code: int) -> str:
    return "grease" if is_grease(code) else NAMES.get(code, f"extension {code:#06x}")


def facets(message: bytes, shuffled: bool) -> Iterator[tuple[str, str]]:
    """Yield what a hello says, GREASE by that name and keys by their length."""
    hello = parse(message)
    yield "legacy_version", hello.version.hex()
    yield "session_id length", str(len(hello.session_id))
    yield "ciphers", _show(hello.ciphers)
    yield "compression", hello.compression.hex()
    names = [extension_name(code) for code, _ in hello.extensions]
    yield "extensions", ", ".join(sorted(names) if shuffled else names)
    yield "places of what never moves", ", ".join(_fixed(names)) if shuffled else "all"
    for at, (code, content) in enumerate(hello.extensions):
        name = names[at] if names.index(names[at]) == at else f"{names[at]} (second)"
        yield name, _content(code, content)


def _fixed(names: list[str]) -> list[str]:
    return [f"{name} at {at}" for at, name in enumerate(names) if name in ("grease", "padding", "pre_shared_key")]


def _show(numbers: list[int]) -> str:
    return " ".join(["GREASE" if is_grease(code) else f"{code:04x}" for code in numbers])


def _content(code: int, content: bytes) -> str:
    if code in (GROUPS, ALGORITHMS):
        return _show(codes(content[2:]))
    if code == VERSIONS:
        return _show(codes(content[1:]))
    if code == KEY_SHARE:
        return " ".join([f"{_show([group])}:{len(key)}" for group, key in shares(content)])
    if code == PSK:
        reader = _Reader(content)
        identities, binders = _Reader(reader.vector(2)), _Reader(reader.vector(2))
        ticket = "present" if identities.vector(2) else "none"
        return f"identity {ticket}, binder of {len(binders.vector(1))} bytes, {identities.left - 4 + binders.left} more"
    if code == ECH:
        return _ech(content)
    return content.hex() or "empty"


def shares(content: bytes) -> list[tuple[int, bytes]]:
    """Return the groups and keys of a key_share extension."""
    reader, found = _Reader(_Reader(content).vector(2)), []
    while reader.left:
        found.append((int.from_bytes(reader.take(2), "big"), reader.vector(2)))
    return found


def ech_parts(content: bytes) -> tuple[str, int, int]:
    """Return the AEAD of an outer encrypted_client_hello, and how long its key and its payload are."""
    reader = _Reader(content[1:])
    suite, _ = reader.take(4), reader.take(1)
    return suite[2:].hex(), len(reader.vector(2)), len(reader.vector(2))


def _ech(content: bytes) -> str:
    aead, key, _ = ech_parts(content)
    return f"outer, AEAD {'of its two' if aead in ('0001', '0003') else aead}, key of {key} bytes"


class _Reader:
    """Bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def left(self) -> int:
        return len(self.data)

    def take(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def vector(self, width: int) -> bytes:
        return self.take(int.from_bytes(self.take(width), "big"))
