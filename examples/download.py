"""A download: the file appears when it is whole, and an interrupted one is gone on with."""

import sys
import tempfile
from pathlib import Path

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with tempfile.TemporaryDirectory() as folder, cycletls.CycleTLS() as session:
    path = Path(folder, "image.png")
    steps: list[int] = []
    # progress=True would show a bar on a terminal.
    session.download(f"{server}/image/png", path, progress=lambda done, total: steps.append(done), resume=True)
    print(f"{path.name}: {path.stat().st_size} bytes, as the last step says: {steps[-1] == path.stat().st_size}")
