"""What happened in a run: a file to which every process appends a line at once, so that no kill tears one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class History:
    """An append-only file of events.

    Args:
        path: made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._path = path

    def note(self, what: str, **details: Any) -> None:
        """Append an event."""
        os.write(self._descriptor, json.dumps({"what": what, **details}).encode() + b"\n")

    def events(self) -> list[dict[str, Any]]:
        """Return all events so far."""
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
