"""The browsers of Debian: found, or installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

from cycletls import InvalidOption
from cycletls._browsers import Browser, find_browser

PACKAGES: Final = {"chromium": "chromium", "firefox": "firefox-esr"}


def browsers() -> list[Browser]:
    """Return both browsers; install what is missing."""
    missing = [package for name, package in PACKAGES.items() if not _installed(name)]
    if missing:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            sys.exit(f"missing: {', '.join(missing)}. Install them, or run this as root where there is apt-get.")
        subprocess.run(["apt-get", "update", "--quiet"], check=True)
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing], check=True)
    return [find_browser(name) for name in PACKAGES]


def _installed(name: str) -> bool:
    try:
        find_browser(name)
    except InvalidOption:
        return False
    return True
