"""A cancel token ends requests from another thread."""

import sys
import threading
import time

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

token = cycletls.CancelToken()
threading.Timer(0.3, token.cancel).start()  # stands for a button that the user presses
begin = time.monotonic()
try:
    cycletls.get(f"{server}/delay/10", cancel=token)
except cycletls.Cancelled:
    print(f"cancelled after {time.monotonic() - begin:.1f} s")
