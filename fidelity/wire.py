"""What a capture server saw of a connection and of a request, as named facets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cycletls._facets import Facet

from . import hello

DATA: Final = 23
"""The type of TLS records with data in them."""

SEALED: Final = 17
"""What such a record has beside its content: a tag and a byte for the type (RFC 8446 section 5.2)."""

PREFACE: Final = 24

DRAWN: Final = ("sec-websocket-key",)
"""Fields whose value is drawn for each request; their length counts."""


class Unit(NamedTuple):
    """A piece of what was sent: a frame, a head, a body."""

    label: str
    size: int
    owner: int


def connection_facets(prefix: str, seen: dict[str, Any], shuffled: bool) -> Iterator[Facet]:
    """Yield the handshake and how HTTP/2 was opened."""
    tls = seen["tls"]
    for number, message in enumerate(tls["hellos"], 1):
        start = prefix if number == 1 else f"{prefix} second hello"
        for name, value in hello.facets(bytes.fromhex(message), shuffled):
            yield Facet(f"{start} tls {name}", value)
    yield Facet(f"{prefix} tls hellos", str(len(tls["hellos"])))
    yield Facet(f"{prefix} tls ja4", tls["ja4"])
    for name in ("version", "cipher", "group", "alpn", "serverName", "resumed"):
        yield Facet(f"{prefix} tls agreed {name}", str(tls[name]))
    handshake = [record for record in tls["records"] if record["type"] != DATA]
    yield Facet(f"{prefix} tls handshake records", " ".join([f"{r['type']}/{r['version']}" for r in handshake]))
    if seen["connection"]["protocol"] == "h2":
        yield from _opening(prefix, seen)


def _opening(prefix: str, seen: dict[str, Any]) -> Iterator[Facet]:
    frames = seen["frames"]
    first = next(at for at, frame in enumerate(frames) if frame["type"] == "HEADERS")
    mine = [frame for frame in frames[:first] if not _is_ack(frame)]
    for frame in mine:
        yield Facet(f"{prefix} h2 {frame['type']}", f"flags {frame['flags']}, {frame['payload']}")
    yield Facet(f"{prefix} h2 opening frames", ", ".join([frame["type"] for frame in mine]))
    yield Facet(f"{prefix} h2 records of the opening", _records(seen, 0))
    yield Facet(f"{prefix} h2 akamai", seen["akamai"])
    if prefix.startswith("first"):  # which the server ends; the others end with the client
        yield Facet(f"{prefix} h2 GOAWAY at the end", str(any(frame["type"] == "GOAWAY" for frame in frames)))


def _is_ack(frame: dict[str, Any]) -> bool:
    return bool(frame["type"] == "SETTINGS" and frame["flags"])


def request_facets(prefix: str, request: dict[str, Any], seen: dict[str, Any]) -> Iterator[Facet]:
    """Yield the fields of a request, one by one and in their order, and the frames and records that carried them."""
    values: dict[str, list[str]] = {}
    for name, value in request["fields"]:
        values.setdefault(name, []).append(f"{len(value)} characters" if name.lower() in DRAWN else value)
    yield Facet(f"{prefix} fields", ", ".join([name for name, _ in request["fields"]]))
    for name, found in values.items():
        yield Facet(f"{prefix} {name}", " | ".join(found))
    yield Facet(f"{prefix} method and target", f"{request['method']} {request['target']}")
    yield Facet(f"{prefix} body", f"{request['body']['length']} {request['body'].get('sha256', '')}")
    if seen["connection"]["protocol"] == "h2":
        yield from _frames(prefix, request, seen)
        yield Facet(f"{prefix} header block", request["head"])
        yield Facet(f"{prefix} records", _records(seen, request["stream"]))
    else:
        yield Facet(f"{prefix} records", _records(seen, request["number"]))


def _frames(prefix: str, request: dict[str, Any], seen: dict[str, Any]) -> Iterator[Facet]:
    mine = [frame for frame in seen["frames"] if frame["stream"] == request["stream"]]
    head = next(frame for frame in mine if frame["type"] == "HEADERS")
    payload = bytes.fromhex(head["payload"])
    yield Facet(f"{prefix} stream", str(request["stream"]))
    yield Facet(f"{prefix} HEADERS flags", str(head["flags"]))
    if head["flags"] & 0x20:
        yield Facet(f"{prefix} HEADERS weight", str(payload[4] + 1))
        yield Facet(f"{prefix} HEADERS dependency", payload[:4].hex())
    updates = [frame["payload"] for frame in mine if frame["type"] == "WINDOW_UPDATE"]
    yield Facet(f"{prefix} WINDOW_UPDATE", " ".join(updates) or "none")
    sizes = [f"{frame['length']}" for frame in mine if frame["type"] == "DATA"]
    yield Facet(f"{prefix} DATA frames", " ".join(sizes) or "none")


def _records(seen: dict[str, Any], owner: int) -> str:
    """Say which pieces of an owner shared a TLS record, in order."""
    units = [unit for unit in _units(seen) if unit.size]
    shown: list[str] = []
    # The first record with data is the client's Finished.
    for record in [record for record in seen["tls"]["records"] if record["type"] == DATA][1:]:
        room, labels, owners = record["length"] - SEALED, list[str](), set[int]()
        while room > 0 and units:
            unit = units[0]
            taken = min(room, unit.size)
            room -= taken
            labels.append(unit.label)
            owners.add(unit.owner)
            units[0] = unit._replace(size=unit.size - taken)
            if units[0].size == 0:
                units.pop(0)
        if owner in owners:
            shown.append("+".join(labels))
    return " | ".join(shown)


def _units(seen: dict[str, Any]) -> Iterator[Unit]:
    if seen["connection"]["protocol"] == "h2":
        yield Unit("preface", PREFACE, 0)
        for frame in seen["frames"]:
            # What answers the server comes whenever that has spoken.
            answers = _is_ack(frame) or frame["type"] == "GOAWAY"
            yield Unit(frame["type"], 9 + frame["length"], -1 if answers else frame["stream"])
    else:
        for request in seen["requests"]:
            yield Unit("head", len(request["head"]) // 2, request["number"])
            yield Unit("body", request["body"]["length"], request["number"])
