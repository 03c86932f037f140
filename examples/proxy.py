"""Proxies: for a session, for one request, for some hosts, and none at all."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"
proxy = sys.argv[2] if len(sys.argv) > 2 else "socks5h://user:password@127.0.0.1:1080"

with cycletls.CycleTLS(base_url=server, proxy=proxy) as session:
    response = session.get("/get")
    print("through the proxy:", response.connection.remote_address, response.http_version)

    response = session.get("/get", proxy="")  # not even the environment's
    print("directly:", response.connection.remote_address)

    response = session.get("/get", proxies={"all": proxy, "no_proxy": "localhost,.example.org,10.0.0.0/8"})
    print("left out:", response.connection.remote_address)

    try:
        session.get("/get", proxy="http://127.0.0.1:1")
    except cycletls.ProxyError as exc:
        print("refused:", exc.detail["proxy"])
