"""What a type checker, and whoever reads help(), knows of the methods of both clients."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

import pytest
from cipherrun import AsyncCipherRunClient, CipherRunClient, ProgressMessage, ScanResults, ScanStatusResponse
from typing_extensions import assert_type


async def checked_but_not_run(client: CipherRunClient, awaited: AsyncCipherRunClient) -> None:
    """The type checker knows what a method takes and returns, in each colour."""
    assert_type(client.get_scan_status(scan_id="1"), ScanStatusResponse)
    coroutine = awaited.get_scan_status("1")
    expected: Coroutine[Any, Any, ScanStatusResponse] = coroutine
    assert_type(await expected, ScanStatusResponse)
    assert_type(await awaited.wait_for_scan("1", timeout=None), ScanResults)
    assert_type(client.stream_progress("1"), Generator[ProgressMessage, None, None])
    assert_type(awaited.stream_progress("1"), AsyncGenerator[ProgressMessage, None])
    client.get_scan_status(1)  # type: ignore[arg-type]  # that this is refused is what is checked
    client.create_scan()  # type: ignore[call-arg]  # likewise


@pytest.mark.parametrize("client", [CipherRunClient, AsyncCipherRunClient])
def test_methods_are_documented(client: type) -> None:
    """help() shows each method with its parameters, its answer and its contract."""
    methods = [value for name, value in inspect.getmembers(client, callable) if not name.startswith("_")]
    assert len(methods) == 17
    for method in methods:
        assert inspect.getdoc(method), method
    status = inspect.signature(client.get_scan_status)  # type: ignore[attr-defined]  # of either colour
    assert str(status) == "(self, scan_id: 'str') -> 'ScanStatusResponse'"
    assert client.get_scan_status.__name__ == "get_scan_status"  # type: ignore[attr-defined]  # likewise
