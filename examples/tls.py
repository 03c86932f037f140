"""TLS: what was agreed with whom, and whom to trust (`verify` takes a file or folder of authorities, too)."""

import sys

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

response = cycletls.get(f"{server}/get", verify=True, min_tls="1.3")
if response.tls:
    print(response.tls.version, response.tls.cipher, "for", response.tls.server_name, "speaking", response.tls.alpn)
    print("certificate:", len(response.tls.peer_certificate or b""), "bytes")

try:
    cycletls.get(server, server_name="elsewhere.example")
except cycletls.CertificateError as error:
    print("refused:", error)
