"""A multipart upload: the file is streamed from the disk, whatever its size."""

import sys
import tempfile

import cycletls

server = sys.argv[1] if len(sys.argv) > 1 else "https://httpbin.org"

with tempfile.TemporaryFile() as report:
    report.write(b"a line of a long report\n" * 1000)
    report.seek(0)
    response = cycletls.post(
        f"{server}/post",
        files={"file": ("report.txt", report, "text/plain")},
        data={"title": "Report"},
    )

reply = response.json()
print("field:", reply["form"])
print("file arrived:", len(reply["files"]["file"]), "characters")
