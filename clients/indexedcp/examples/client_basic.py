"""Buffer files, then upload them; what is interrupted goes on with the next upload."""

import sys

from indexedcp import IndexCPClient

server, api_key, *files = sys.argv[1:]

client = IndexCPClient()
client.api_key = api_key  # or INDEXCP_API_KEY in the environment
for file in files:
    print(f"{file}: {client.add_file(file)} chunks")

print("in the buffer:", client.get_buffered_files())
for path, name in client.upload_buffered_files(server).items():
    print(f"{path} is {name} on the server")
