"""Cookies: a session's jar keeps what servers set, and can be read and changed."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server, cookies={"theme": "dark"}) as session:
    session.get("/cookies/set", params={"visit": "1"})
    print("in the jar:", session.cookies.get_dict())
    print("the server sees:", session.get("/cookies").json()["cookies"])

    session.cookies["visit"] = "2"
    del session.cookies["theme"]
    print("and after a change:", session.get("/cookies").json()["cookies"])
