"""Both ends in one process: a server in a thread, and a client that uploads to it."""

import os
import tempfile
from pathlib import Path

from indexedcp import IndexCPClient, IndexCPServer

with tempfile.TemporaryDirectory() as folder:
    source, stored = Path(folder, "large.bin"), Path(folder, "uploads")
    source.write_bytes(os.urandom(8 * 1024 * 1024))

    with IndexCPServer(stored, port=0, api_key="demo-key") as server, IndexCPClient("demo") as client:
        server.start(lambda: print("the server listens"))
        client.api_key = "demo-key"
        name = client.buffer_and_upload(source, server.url)

    print("the same bytes:", (stored / name).read_bytes() == source.read_bytes())
