"""Scan many targets at once, and let none that fails stop the others: async_scan.py TARGET..."""

import asyncio
import os
import sys

from cipherrun import AsyncCipherRunClient, ScanOptions


async def main(targets: list[str]) -> None:
    """Scan the targets and print a line for each."""
    url = os.environ.get("CIPHERRUN_URL", "http://localhost:8080")
    async with AsyncCipherRunClient(url, os.environ.get("CIPHERRUN_API_KEY")) as client:
        scans = [client.scan(target, ScanOptions.quick()) for target in targets]
        for target, outcome in zip(targets, await asyncio.gather(*scans, return_exceptions=True), strict=True):
            if isinstance(outcome, BaseException):
                print(f"{target}: {outcome}")
            else:
                print(f"{target}: {outcome.rating.grade if outcome.rating else 'not rated'}")


asyncio.run(main(sys.argv[1:] or ["example.com", "example.org"]))
