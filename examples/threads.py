"""One session serves many threads; over HTTP/2 they share a connection."""

import sys
from concurrent.futures import ThreadPoolExecutor

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server) as session, ThreadPoolExecutor(16) as pool:
    responses = list(pool.map(lambda number: session.get("/get", params={"n": number}), range(64)))

print("answers:", sorted(int(response.json()["args"]["n"]) for response in responses) == list(range(64)))
print("connections:", len({response.connection.local_address for response in responses}))
