"""Profiles: whom the client looks like, from the TLS handshake to the order of headers."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

print("known:", ", ".join(cycletls.profiles))
for profile in ("chrome", "firefox", None):
    response = cycletls.get(f"{server}/headers", profile=profile)
    print(f"{profile}: {response.http_version}, {len(response.request.headers)} headers")
    print("   ", response.json()["headers"]["User-Agent"])
