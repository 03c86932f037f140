"""Redirects are followed; `history` tells the way, and both following and their number can be limited."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

response = cycletls.get(f"{server}/redirect/3")
for hop in response.history:
    print(hop.status_code, "->", hop.headers["Location"])
print(response.status_code, response.url)

print("not followed:", cycletls.get(f"{server}/redirect/1", allow_redirects=False).status_code)
try:
    cycletls.get(f"{server}/redirect/5", max_redirects=2)
except cycletls.TooManyRedirects as error:
    print("refused:", error)
