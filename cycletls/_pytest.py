"""The fixture that pytest finds by itself where this package is installed (entry point pytest11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._capture import CaptureServer


@pytest.fixture
def cycletls_capture() -> Iterator[CaptureServer]:
    """A server that remembers what it is sent: see cycletls.testing.CaptureServer."""
    from ._capture import CaptureServer

    with CaptureServer() as server:
        yield server
