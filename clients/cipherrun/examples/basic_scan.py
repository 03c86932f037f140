"""Scan a target, ask how far it is, and print what was found: basic_scan.py [TARGET]"""

import os
import sys

from cipherrun import CipherRunClient, CipherRunError, ScanOptions

target = sys.argv[1] if len(sys.argv) > 1 else "example.com:443"
url = os.environ.get("CIPHERRUN_URL", "http://localhost:8080")

with CipherRunClient(url, os.environ.get("CIPHERRUN_API_KEY")) as client:
    try:
        scan = client.create_scan(target, ScanOptions.full())
        print(f"{scan.target} is {client.get_scan_status(scan.scan_id).status}")
        results = client.wait_for_scan(scan.scan_id)
    except KeyboardInterrupt:
        client.cancel_scan(scan.scan_id)
        raise
    except CipherRunError as error:
        sys.exit(str(error))

for protocol in results.protocols:
    print(f"{protocol.display_name:8} {'yes' if protocol.supported else 'no'}")
for weakness in results.vulnerabilities:
    if weakness.vulnerable:
        print(f"vulnerable: {weakness.vuln_type} ({weakness.severity}), {weakness.details}")
print(f"grade: {results.rating.grade if results.rating else 'none'}")
