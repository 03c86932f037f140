"""A server without a key that appends everything to one file: for trying things out on one's own machine."""

import sys

from indexedcp import create_simple_server

file, port = sys.argv[1], int(sys.argv[2])

with create_simple_server(output_file=file, port=port) as server:
    print(f"upload to http://127.0.0.1:{server.server_port}/upload", flush=True)
    server.serve_forever()
