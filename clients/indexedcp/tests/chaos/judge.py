"""Whether a run kept every promise, by its history and by what it left behind. It knows nothing of how it went.

- A file that is in the folder is one that was sent, whole, or one that was there before, unchanged.
- What a plain client was told is stored is there.
- A chunk that was acknowledged is never missing from what the server says it has.
- In the end every file is there, once, under the name that its client was told; nothing else is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Facts:
    """What is true of a run, whatever happens in it.

    Attributes:
        sources: the files of clients with ids.
        planted: files that are in the folder from the beginning, with their contents.
        plain: the file of a plain client.
    """

    sources: list[Path]
    planted: dict[str, bytes] = field(default_factory=dict)
    plain: Path | None = None

    def contents(self) -> set[str]:
        """Return the hashes of all files that may be seen whole."""
        return {digest(path.read_bytes()) for path in self.sources}


def digest(data: bytes) -> str:
    """The hash of some bytes."""
    return hashlib.sha256(data).hexdigest()


def judge_snapshot(out: Path, facts: Facts, events: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the folder while the run goes on."""
    wrong = []
    whole, grown = facts.contents(), facts.plain.read_bytes() if facts.plain else None
    names = {event["name"] for event in events if event["what"] == "plain"}
    acknowledged = sum(event["size"] for event in events if event["what"] == "plain")
    for path in out.iterdir():
        if path.is_dir():
            continue
        data = path.read_bytes()
        if path.name in facts.planted:
            if data != facts.planted[path.name]:
                wrong.append(f"{path.name} was there before, and has changed")
        elif path.name in names:
            if grown is None or data[:acknowledged] != grown[:acknowledged]:
                wrong.append(f"{path.name} does not begin with the {acknowledged} bytes that were acknowledged")
        elif digest(data) not in whole and (grown is None or names):
            wrong.append(f"{path.name} has {len(data)} bytes that nobody sent so")
    wrong += [f"{name} is not there any more" for name in names - {path.name for path in out.iterdir()}]
    return wrong


def judge_history(events: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with what the server said."""
    wrong = []
    acknowledged: dict[str, set[int]] = {}
    for event in events:
        if event["what"] != "answer":
            continue
        have = acknowledged.setdefault(event["id"], set())
        if event["index"] is not None and event["status"] == 200:
            have.add(event["index"])
        if event["index"] is None and event["status"] == 200:
            received = {index for first, last in event["received"] for index in range(first, last + 1)}
            if lost := have - received:
                wrong.append(f"chunks {sorted(lost)} of {event['id']} were acknowledged, and are lost")
            have |= received
        if event["index"] is None and event["status"] == 404 and have:
            wrong.append(f"upload {event['id']} was acknowledged in part, and is unknown")
    return wrong


def judge_end(out: Path, facts: Facts, events: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the folder in the end."""
    names: dict[str, str] = {}
    for event in events:
        if event["what"] in ("results", "complete"):
            names.update(event["results"])
    wrong = [f"{path} is not uploaded" for path in facts.sources if str(path) not in names]
    for path in facts.sources:
        name = names.get(str(path))
        stored = out / name if name else None
        if stored and (not stored.is_file() or stored.read_bytes() != path.read_bytes()):
            wrong.append(f"{name} is not what {path} is")
    if len(set(names.values())) != len(names):
        wrong.append("two files have one name")
    expected = {*names.values(), *facts.planted}
    if facts.plain:
        plain = {event["name"] for event in events if event["what"] == "plain"}
        expected |= plain
        if len(plain) != 1 or (out / plain.pop()).read_bytes() != facts.plain.read_bytes():
            wrong.append("the plain client's file is not what it sent")
    found = {path.name for path in out.iterdir() if path.is_file()}
    wrong += [f"{name} is there, and nobody's" for name in found - expected]
    return wrong
