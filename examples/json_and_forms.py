"""Bodies: JSON, a form with a repeated field, and bytes as they are."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server) as session:
    reply = session.post("/post", json={"name": "Zoë", "tags": ["a", "b"]}).json()
    print("JSON:", reply["json"], "as", reply["headers"]["Content-Type"])

    reply = session.post("/post", data={"colour": ["red", "blue"], "size": "9"}).json()
    print("form:", reply["form"], "as", reply["headers"]["Content-Type"])

    reply = session.put("/put", content=b"plain bytes", headers={"Content-Type": "text/plain"}).json()
    print("bytes:", reply["data"], "as", reply["headers"]["Content-Type"])
