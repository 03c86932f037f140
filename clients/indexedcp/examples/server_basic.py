"""A server that stores what clients with the key upload, until it is interrupted."""

import sys

from indexedcp import IndexCPServer

folder, port = sys.argv[1], int(sys.argv[2])

server = IndexCPServer(output_dir=folder, port=port, api_key="your-secure-api-key")
server.listen(callback=lambda: print(f"upload to {server.url}", flush=True))
