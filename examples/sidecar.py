"""The library in a process of its own: asked for, and after a fork."""

import os
import sys

import cycletls

url = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(sidecar=True) as session:
    print("through a sidecar:", session.get(f"{url}/get").status_code)

session = cycletls.CycleTLS(headers={"X-Kept": "yes"})
session.get(f"{url}/get")  # in this process
sys.stdout.flush()
child = os.fork()
if child == 0:
    seen = session.get(f"{url}/anything").json()  # through a sidecar, by itself
    print("in the child, headers kept:", seen["headers"]["X-Kept"])
    session.close()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
