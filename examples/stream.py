"""A response that is read as it comes: a slow reader holds the server back, and leaving early hangs up."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server) as session:
    with session.stream("GET", "/stream/20") as response:
        lines = sum(1 for _ in response.iter_lines())
    print("lines, one by one:", lines)

    with session.stream("GET", "/bytes/100000") as response:
        print("only the first:", len(response.read(1000)), "bytes of", response.headers["Content-Length"])
