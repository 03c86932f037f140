"""Headers reach the wire in the order and case in which they are written, repeats included."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

headers = [("X-Second", "1"), ("x-first", "2"), ("X-Second", "3")]
response = cycletls.request("PROPFIND", f"{server}/anything", profile=None, force_http1=True, headers=headers)

print("sent, from top to bottom:")
for name, value in response.request.headers.multi_items():
    print(f"  {name}: {value}")
