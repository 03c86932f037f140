"""The examples run, and print what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Running

EXAMPLES = Path(__file__).parent.parent / "examples"

PRINTED = {
    "basic_scan.py": ["example.com:443 is ", "TLS 1.3  yes", "vulnerable: BREACH (medium)", "grade: A+"],
    "async_scan.py": ["example.com: A+", "fail.test: scan ", "failed: connection refused"],
    "websocket_progress.py": ["% Starting TLS scan", "[####################] 100% completed"],
    "compliance_check.py": ["pci-dss-v4: ", "1 of 2 requirements", "4.2.1 Strong cryptography (critical): Turn it off"],
    "policy_evaluation.py": ["example.com:443 breaks strict", "protocols.prohibited (fail): TLS 1.0 is on"],
}


def test_every_example_is_tested() -> None:
    """There is no example that the test below leaves out, and none is long."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PRINTED)
    assert all(len(path.read_text().splitlines()) <= 32 for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", PRINTED)
def test_example(server: Running, name: str) -> None:
    """The example succeeds without a warning and prints what it found."""
    server.standin.setup.pace = 0.05
    targets = ["example.com", "fail.test"] if name == "async_scan.py" else ["example.com"]
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *targets],
        env={**os.environ, "CIPHERRUN_URL": server.url, "CIPHERRUN_API_KEY": "user"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for promised in PRINTED[name]:
        assert promised in done.stdout
