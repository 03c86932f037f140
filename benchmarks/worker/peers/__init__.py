"""The clients, each behind the same four methods.

A module defines `Client(ca, http2)` with `get(url) -> bytes`, `upload(url,
path)`, `websocket(url)` and `close()`. Each is set up as its users would: those that imitate a
browser imitate Chrome, all verify certificates with the given authority.
"""
