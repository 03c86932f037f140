"""A session keeps connections, cookies and options for its requests."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server, headers={"X-Client": "example"}, timeout=10) as session:
    first = session.get("/get")
    again = session.get("/get", headers={"X-Client": None, "X-Once": "yes"})  # None takes a header of the session out

    print("the session's header:", first.json()["headers"].get("X-Client"))
    print("without it, this once:", again.json()["headers"].get("X-Client"), again.json()["headers"]["X-Once"])
    print("same connection:", again.connection.reused)
