"""GET with a query and a header; the reply as text, JSON and bytes."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

response = cycletls.get(f"{server}/get", params={"q": "ü", "page": [1, 2]}, headers={"X-Example": "get"})
response.raise_for_status()

print(response.status_code, response.reason, response.http_version, response.url)
print("type:", response.headers["content-type"], "in", response.elapsed)
print("query the server saw:", response.json()["args"])
print("text and bytes:", len(response.text), len(response.content))
