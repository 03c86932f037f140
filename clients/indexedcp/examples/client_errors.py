"""What can go wrong is told apart, and nothing that is not stored leaves the buffer."""

import sys

from indexedcp import IndexCPClient

import cycletls

server, file = sys.argv[1:]

with IndexCPClient(retries=1) as client:
    client.api_key = "not the key"
    client.add_file(file)
    for url in (server, "http://127.0.0.1:9/upload"):
        try:
            client.upload_buffered_files(url)
        except ValueError as exc:
            print("refused:", exc)
        except cycletls.ConnectionError as exc:
            print("not reached:", exc)
    print("still in the buffer:", client.get_buffered_files())
