"""Fills golang/vendor/ with the Go dependencies and applies the patches beside this script.

A patch is a unified diff against golang/vendor/, behind a text that says why. It must fit exactly: a hunk that does not
stops the build. Run twice, the second run only compares a hash.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PATCHES = Path(__file__).resolve().parent
GOLANG = PATCHES.parent
VENDOR = GOLANG / "vendor"
STAMP = VENDOR / "patched"
IMPORT = re.compile(r'^\s*(?:import )?(?:[\w.]+ )?"([\w-]+\.[^"\s]+)"$', re.MULTILINE)
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")


def main() -> None:
    state = digest()
    if STAMP.is_file() and STAMP.read_text() == state:
        return
    # GOFLAGS of the build says -mod=vendor, which this command makes possible only.
    subprocess.run(["go", "mod", "vendor"], cwd=GOLANG, env=os.environ | {"GOFLAGS": ""}, check=True)
    for patch in patches():
        apply(patch)
    STAMP.write_text(state)


def patches() -> list[Path]:
    return sorted(PATCHES.glob("*.patch"))


def digest() -> str:
    """The hash of all that decides what is in the folder."""
    total = hashlib.sha256()
    for path in [GOLANG / "go.mod", GOLANG / "go.sum", Path(__file__), *patches()]:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    total.update(" ".join(sorted(imports())).encode())
    return total.hexdigest()


def imports() -> set[str]:
    """The packages that our files name: only those of a module that are imported are in the folder."""
    sources = [path for path in GOLANG.rglob("*.go") if VENDOR not in path.parents]
    return {name for path in sources for name in IMPORT.findall(path.read_text())}


def apply(patch: Path) -> None:
    for name, hunks in files(patch.read_text().splitlines(keepends=True)):
        target = VENDOR / name
        old = target.read_text().splitlines(keepends=True) if target.exists() else []
        try:
            target.write_text("".join(patched(old, hunks)))
        except ValueError as error:
            sys.exit(f"{patch.name} does not fit golang/vendor/{name}: {error}")


def files(lines: list[str]) -> Iterator[tuple[str, list[list[str]]]]:
    """The files that a patch changes, each with its hunks: a header line and the lines that follow."""
    starts = [i for i, line in enumerate(lines) if line.startswith("+++ b/") and lines[i - 1].startswith("--- ")]
    for start, following in pairwise([*starts, len(lines) + 1]):
        name, end = lines[start].removeprefix("+++ b/").strip(), following - 1
        heads = [i for i in range(start + 1, end) if HUNK.match(lines[i])]
        yield name, [lines[head:stop] for head, stop in pairwise([*heads, end])]


def patched(old: list[str], hunks: list[list[str]]) -> Iterator[str]:
    """The lines of a file after its hunks; ValueError where one finds other lines than it expects."""
    done = 0
    for head, *body in hunks:
        line, before, after = ranges(head)
        removed = [text[1:] for text in body if text[0] in " -"]
        added = [text[1:] for text in body if text[0] in " +"]
        if old[line : line + before] != removed or (len(removed), len(added)) != (before, after):
            raise ValueError(f"line {line + 1} is not what {head.strip()} expects")
        yield from old[done:line]
        yield from added
        done = line + before
    yield from old[done:]


def ranges(head: str) -> tuple[int, int, int]:
    """Where a hunk begins, counted from 0, and how many lines it replaces by how many."""
    match = HUNK.match(head)
    assert match
    line, before, after = (1 if group is None else int(group) for group in match.groups())
    return line - (before > 0), before, after


if __name__ == "__main__":
    main()
