"""What can go wrong has an exception of its own, and each names the request."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

try:
    cycletls.get(f"{server}/delay/5", timeout=0.5)
except cycletls.Timeout as error:
    print("too slow:", error)

try:
    cycletls.get("http://127.0.0.1:1/")
except cycletls.ConnectionError as error:
    print("nobody there:", error)

try:
    cycletls.get(f"{server}/status/503").raise_for_status()
except cycletls.HTTPError as error:
    print("a bad status:", error, error.response.status_code)

try:
    cycletls.get(f"{server}/get", headers={"X-Injected": "a\r\nSet-Cookie: b=c"})
except cycletls.InvalidHeader as error:
    print("not sent at all:", error)
