"""Public names whose modules are imported by their first use, because few programs need them at once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "AsyncEventStream": "_events",
    "AsyncWebSocket": "_websocket",
    "CHROME_120": "_fingerprints",
    "CHROME_121": "_fingerprints",
    "CHROME_ANDROID": "_fingerprints",
    "EDGE_120": "_fingerprints",
    "Event": "_events",
    "EventStream": "_events",
    "FIREFOX_121": "_fingerprints",
    "FingerprintRegistry": "_fingerprints",
    "JSONDecodeError": "_json",
    "MessageType": "_connections",
    "Profile": "_models",
    "SAFARI_17": "_fingerprints",
    "SAFARI_IOS": "_fingerprints",
    "SSEConnection": "_connections",
    "SSEEvent": "_events",
    "TLSFingerprint": "_fingerprints",
    "create_fingerprint_template": "_fingerprints",
    "load_fingerprint_from_file": "_fingerprints",
    "load_fingerprints_from_dir": "_fingerprints",
    "load_fingerprints_from_env": "_fingerprints",
    "WebSocket": "_websocket",
    "WebSocketConnection": "_connections",
    "WebSocketMessage": "_connections",
}


def __getattr__(name: str) -> Any:
    """Find a public name of the package (PEP 562; __init__.py takes this function as its own)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cycletls' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __package__), name)
