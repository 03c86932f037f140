"""Where the client's API key is from."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Final

from ._exceptions import MissingAPIKey

VARIABLES: Final = ("INDEXCP_API_KEY", "INDEXEDCP_API_KEY")
"""Environment variables that may have the key; the first counts more."""


def ask_api_key() -> str:
    """Return the key that the environment has, or that the user types.

    Raises:
        MissingAPIKey: there is neither.
    """
    for variable in VARIABLES:
        if key := os.environ.get(variable):
            return key
    if sys.stdin is None or not sys.stdin.isatty():
        raise MissingAPIKey(f"no API key: set {VARIABLES[0]}, or the client's api_key")
    key = getpass.getpass("API key: ")
    if not key:
        raise MissingAPIKey("no API key was typed")
    return key
