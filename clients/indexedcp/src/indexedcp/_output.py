"""The output folder with what the server keeps in it for itself."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from ._folder import Folder, Names
from ._ledger import Ledger

STATE: Final = ".indexcp"
"""The folder in the output folder that has the ledger and what is not whole yet."""


class FolderInUse(RuntimeError):
    """Another server has the output folder."""


class Output:
    """The output folder, opened by one server at a time.

    Attributes:
        folder: where files are published.
        hidden: where they grow.
        ledger: what is known of them.
        names: which are taken.

    Raises:
        FolderInUse: another server has it.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)
        self.hidden = self.folder.inner(STATE)
        self._lock = self._exclusive()
        self.ledger = Ledger(self.hidden.path / "ledger.db")
        self.names = Names(self.folder, self.ledger.reserved_names())

    def _exclusive(self) -> int:
        try:
            descriptor = self.hidden.create("lock")
        except FileExistsError:
            descriptor = self.hidden.open("lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(descriptor)
            raise FolderInUse(f"{self.folder.path} is the output folder of another server that runs") from exc
        return descriptor

    def close(self) -> None:
        """Let another server have it."""
        self.ledger.close()
        os.close(self._lock)
        self.hidden.close()
        self.folder.close()
