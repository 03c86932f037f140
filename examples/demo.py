"""What `make demo` shows: requests to a local httpbin over each transport, and what a server sees of the client."""

import io
import tempfile
from pathlib import Path

from servers import Certificates, Servers, httpbin_servers, issue_certificates

import cycletls
from cycletls.testing import CaptureServer, capture_server

MEBIBYTE = 1 << 20


def main() -> None:
    """Start the servers, send to them, stop them."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = issue_certificates(Path(folder))
        print("httpbin is starting on loopback, over HTTP, HTTPS and HTTP/2, with a test authority")
        with httpbin_servers(certificates) as servers:
            show_requests(servers, certificates)
    with capture_server() as server:
        for profile in ("chrome", "firefox"):
            show_fingerprint(server, profile)


def show_requests(servers: Servers, certificates: Certificates) -> None:
    """One session, each kind of body, each transport."""
    with cycletls.CycleTLS(profile="chrome", verify=str(certificates.authority), timeout=30) as session:
        for address in servers:
            print(f"\n{address}")
            show("GET with a query", session.get(f"{address}/get", params={"q": "ü"}))
            show("POST of JSON", session.post(f"{address}/post", json={"name": "Zoë"}))
            show("POST of a form", session.post(f"{address}/post", data={"colour": ["red", "blue"]}))
            file = io.BytesIO(b"x" * 8 * MEBIBYTE)
            show("upload of 8 MiB", session.post(f"{address}/post", files={"file": ("big.bin", file)}))
            show("two redirects", session.get(f"{address}/redirect/2"))


def show(what: str, response: cycletls.Response) -> None:
    """One line about a response."""
    response.raise_for_status()
    took, size = response.elapsed.total_seconds() * 1000, len(response.content)
    print(f"  {what:18} {response.status_code} {response.http_version:9} {took:7.1f} ms {size:10,} bytes")


def show_fingerprint(server: CaptureServer, profile: str) -> None:
    """What the other end sees of a profile."""
    cycletls.get(server.url, profile=profile, verify=server.ca_file)
    seen = server.last
    print(f"\nwhat a server sees of profile={profile!r}")
    print(f"  JA4      {seen.ja4}\n  JA3      {seen.ja3}\n  HTTP/2   {seen.akamai}")
    print(f"  headers  {' '.join(seen.header_names)}")


if __name__ == "__main__":
    main()
