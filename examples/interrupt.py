"""Ctrl-C ends a request at once: the exchange is cancelled and the session goes on."""

import os
import signal
import sys
import threading
import time

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with cycletls.CycleTLS(base_url=server) as session:
    session.get("/get")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()  # stands for the user's Ctrl-C
    begin = time.monotonic()
    try:
        session.get("/delay/10")
    except KeyboardInterrupt:
        print(f"interrupted after {time.monotonic() - begin:.1f} s")
    print("and on:", session.get("/get").status_code)
