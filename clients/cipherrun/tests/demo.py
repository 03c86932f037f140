"""The command line and the examples, against a stand-in of the server."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from serving import serving

EXAMPLES = Path(__file__).parent.parent / "examples"
COMMANDS = (
    "cipherrun health",
    "cipherrun scan example.com --full",
    "cipherrun compliance pci-dss-v4 example.com --detailed",
    "cipherrun history example.com",
    f"{shlex.quote(sys.executable)} basic_scan.py example.com",
    f"{shlex.quote(sys.executable)} async_scan.py example.com example.org fail.example",
    f"{shlex.quote(sys.executable)} websocket_progress.py example.com",
    f"{shlex.quote(sys.executable)} compliance_check.py example.com pci-dss-v4 fedramp",
    f"{shlex.quote(sys.executable)} policy_evaluation.py example.com",
)


def main() -> None:
    """Run them all, and show what they print."""
    with serving() as running:
        print(f"A stand-in of the CipherRun server, which scans nothing, listens on {running.url}.")
        running.standin.setup.pace = 0.1
        environment = {**os.environ, "CIPHERRUN_URL": running.url, "CIPHERRUN_API_KEY": "user"}
        for command in COMMANDS:
            print(f"\n$ {command.replace(sys.executable, 'python')}", flush=True)
            subprocess.run(shlex.split(command), env=environment, cwd=EXAMPLES, check=False)


if __name__ == "__main__":
    main()
