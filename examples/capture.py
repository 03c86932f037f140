"""Test what is sent, without a network: a server on loopback remembers it."""

import cycletls
from cycletls.testing import capture_server

with capture_server() as server, cycletls.CycleTLS(profile="chrome", verify=server.ca_file) as session:
    session.post(f"{server.url}/form", data={"a": "1"}, headers=[("X-First", "1"), ("X-Second", "2")])

    seen = server.last
    own = [name for name in seen.header_names if name.startswith("x-")]
    print(f"{seen.method} {seen.target} over {seen.protocol}, body {seen.body!r}")
    print(f"JA4 {seen.ja4}, HTTP/2 {seen.akamai}")
    print(f"the server saw {' before '.join(own)}")

    profile = server.profile("mine")
    print(f"its HPACK is that of {profile.http2.hpack}")
