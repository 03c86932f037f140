"""A server that chooses what files are called: it is asked once a file, and its answer cannot leave the folder."""

import datetime
import sys
from pathlib import PurePath

from indexedcp import IndexCPServer

folder, port = sys.argv[1], int(sys.argv[2])


def dated(client_filename, chunk_index, request):
    """Put the day of the upload into the name."""
    name = PurePath(client_filename)
    return f"{name.stem}_{datetime.date.today():%Y-%m-%d}{name.suffix}"


server = IndexCPServer(folder, port, api_key="your-secure-api-key", filename_generator=dated)
server.listen(callback=lambda: print(f"upload to {server.url}", flush=True))
