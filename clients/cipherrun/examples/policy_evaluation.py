"""Make a policy and hold targets against it: policy_evaluation.py [TARGET...]"""

import os
import sys

from cipherrun import CipherRunClient

STRICT = """\
version: "1.0"
name: strict
protocols:
  required: [TLSv1.3]
  prohibited: [SSLv2, SSLv3, TLSv1.0, TLSv1.1]
  action: FAIL
certificates:
  min_days_until_expiry: 30
  action: WARN
"""
url = os.environ.get("CIPHERRUN_URL", "http://localhost:8080")

with CipherRunClient(url, os.environ.get("CIPHERRUN_API_KEY")) as client:
    policy = client.create_policy("strict", STRICT, description="Nothing older than TLS 1.2")
    for target in sys.argv[1:] or ["example.com"]:
        evaluation = client.evaluate_policy(policy.id, target)
        print(f"{evaluation.target} {'complies with' if evaluation.compliant else 'breaks'} {policy.name}")
        for check in evaluation.checks:
            print(f"  {check.check} ({check.severity}): {check.message}")
