"""Upload a file chunk by chunk, without a buffer."""

import sys

from indexedcp import IndexCPClient

server, api_key, file = sys.argv[1:]

with IndexCPClient(chunk_size=64 * 1024) as client, open(file, "rb") as source:
    client.api_key = api_key
    index = 0
    while chunk := source.read(client.chunk_size):
        answer = client.upload_chunk(server, chunk, index, file)
        print(f"chunk {index} is in {answer['actualFilename']}")
        index += 1
