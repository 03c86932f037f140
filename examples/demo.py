"""What `make demo` shows: requests to a local httpbin over each transport, and what a server sees of the client."""

import io
import tempfile
from pathlib import Path

from servers import Certificates, Servers, build_echo_server, echo_server, httpbin_servers, issue_certificates

import cycletls

MEBIBYTE = 1 << 20


def main() -> None:
    """Start the servers, send to them, stop them."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = issue_certificates(Path(folder))
        print("httpbin is starting on loopback, over HTTP, HTTPS and HTTP/2, with a test authority")
        with httpbin_servers(certificates) as servers:
            show_requests(servers, certificates)
        echo = build_echo_server(Path(folder))
        with echo_server(echo, "-h2", f"-cert={certificates.server}", f"-key={certificates.server}") as url:
            for profile in ("chrome", "firefox"):
                show_fingerprint(url, profile, certificates)


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


def show_fingerprint(url: str, profile: str, certificates: Certificates) -> None:
    """What the other end sees of a profile."""
    report = cycletls.get(url, profile=profile, verify=str(certificates.authority)).json()
    print(f"\nwhat a server sees of profile={profile!r}")
    print(f"  JA4      {report['tls']['ja4']}\n  JA3      {report['tls']['ja3']}\n  HTTP/2   {report['akamai']}")
    print(f"  headers  {' '.join(name for name, _ in report['request']['fields'])}")


if __name__ == "__main__":
    main()
