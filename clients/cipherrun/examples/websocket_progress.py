"""Watch scans while they run, as an iterator and with a callback: websocket_progress.py [TARGET]"""

import asyncio
import os
import sys

from cipherrun import AsyncCipherRunClient, ProgressMessage, WebSocketProgressClient

URL = os.environ.get("CIPHERRUN_URL", "http://localhost:8080")
KEY = os.environ.get("CIPHERRUN_API_KEY")


def show(progress: ProgressMessage) -> None:
    """Print a bar made of text."""
    bar = "#" * (progress.progress // 5)
    print(f"[{bar:20}] {progress.progress:3}% {progress.stage}")


async def main(target: str) -> None:
    """Watch one scan in each of the two ways."""
    async with AsyncCipherRunClient(URL, KEY) as client, WebSocketProgressClient(URL, KEY) as watcher:
        scan = await client.create_scan(target)
        async for progress in watcher.stream_progress(scan.scan_id):
            show(progress)
        scan = await client.create_scan(target)
        await watcher.stream_progress_with_callback(scan.scan_id, show)


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "example.com"))
