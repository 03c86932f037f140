"""Hold a target against several frameworks: compliance_check.py [TARGET [FRAMEWORK...]]"""

import os
import sys

from cipherrun import CipherRunClient, NotFoundError

target = sys.argv[1] if len(sys.argv) > 1 else "example.com"
frameworks = sys.argv[2:] or ["pci-dss-v4", "nist-sp800-52r2", "hipaa", "mozilla-modern"]
url = os.environ.get("CIPHERRUN_URL", "http://localhost:8080")

with CipherRunClient(url, os.environ.get("CIPHERRUN_API_KEY")) as client:
    for framework in frameworks:
        try:
            report = client.check_compliance(framework, target, detailed=True)
        except NotFoundError:
            print(f"{framework}: this server does not know it")
            continue
        print(f"{report.framework}: {report.message}")
        for requirement in report.requirements or ():
            if requirement.status == "fail":
                print(f"  {requirement.id} {requirement.name} ({requirement.severity}): {requirement.remediation}")
