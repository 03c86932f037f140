"""A body that is made while it is sent: any iterable of bytes."""

import sys
from collections.abc import Iterator

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"


def readings() -> Iterator[bytes]:
    """Stand for something that takes its time, a sensor or a database."""
    for number in range(1000):
        yield f"reading {number}\n".encode()


response = cycletls.post(f"{server}/post", content=readings(), headers={"Content-Type": "text/plain"})
print("lines that arrived:", response.json()["data"].count("\n"))
