"""What a file may be called on the server.

A client's name is a path of its own machine. The server uses its last component alone, and refuses what is no name or
would be another one on some system: then no name leads out of the folder, and no two names lead to one file.
"""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Final

LONGEST: Final = 255
"""Bytes of a name, which is what file systems allow."""
_ROOM: Final = 32
"""Bytes that a distinguishing number may add to a name."""

_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "123456789¹²³"}
)
_DRIVE: Final = re.compile(r"\A[A-Za-z]:")
_SPECIAL: Final = re.compile(r'[<>:"|?*]')
"""Characters of wildcards, streams and pipes on some systems, which become underscores."""
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, halves of pairs, line ends."""
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of text, and make exe.txt of what ends in txt.exe."""


class InvalidName(ValueError):
    """A name that no file gets."""


def server_name(client_name: str) -> str:
    """Return the name that a client's file gets where nothing else has it.

    Raises:
        InvalidName: it would be hidden, ambiguous, special or too long.
    """
    path = client_name.replace("\\", "/")
    name = unicodedata.normalize("NFC", _SPECIAL.sub("_", _DRIVE.sub("", path.rpartition("/")[2], count=1)))
    if not name.strip(". "):
        raise InvalidName("it names no file")
    if name[-1] in ". " or name[0] == " ":
        raise InvalidName("it begins or ends with what some systems drop")
    if any(character in _DIRECTIONS or unicodedata.category(character) in _CONTROLS for character in name):
        raise InvalidName("it has control characters")
    if name.partition(".")[0].rstrip().casefold() in _DEVICES:
        raise InvalidName("it is a device on some systems")
    if len(name.encode()) > LONGEST - _ROOM:
        raise InvalidName(f"it is longer than {LONGEST - _ROOM} bytes")
    return name


def another(name: str, attempt: int) -> str:
    """Return a name for a file whose name is taken: with the time before its extension, in milliseconds."""
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    return f"{stem}_{time.time_ns() // 1_000_000 + attempt}{dot}{extension}"


def twin_key(name: str) -> str:
    """Return what is equal for names that some file system, or the eye, takes for the same."""
    seen = "".join(character for character in name if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
