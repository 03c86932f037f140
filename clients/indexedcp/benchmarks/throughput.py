"""Upload one large file to a server in a process of its own; show how fast, and what memory it took.

    python benchmarks/throughput.py [--mebibytes 1024] [--folder DIR]

Each stage is timed: reading the file into the buffer, and uploading it with every check on (a SHA-256 of each chunk, a
sync before each acknowledgement, the file's SHA-256 before it is published). Peaks of memory are above what the process
had when it had moved one chunk.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from indexedcp import IndexCPClient, IndexCPServer

MEBIBYTE = 1 << 20
KEY = "benchmark"


def main() -> None:
    """Measure, and check that what arrived is what was sent."""
    arguments = parse()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        os.environ["HOME"] = name
        source = folder / "large.bin"
        write(source, arguments.mebibytes)
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(str(folder / "out"), theirs))
        server.start()
        url = ours.recv()
        with IndexCPClient(width=arguments.width) as client:
            client.api_key = KEY
            measure(client, source, url)
        ours.send("end")
        memory, processor = ours.recv()
        print(f"server           {memory:7.0f} MiB above its start, {processor:.2f} s of processor")
        server.join()
        print("the same:", sha256(source) == sha256(folder / "out" / source.name))


def measure(client: IndexCPClient, source: Path, url: str) -> None:
    """Time both stages of an upload."""
    small = source.with_name("small.bin")
    write(small, 1)
    client.buffer_and_upload(small, url)
    before, size = peak(), source.stat().st_size
    started = time.perf_counter()
    client.add_file(source)
    buffered = time.perf_counter()
    processor = time.process_time()
    client.upload_buffered_files(url)
    uploaded = time.perf_counter()
    processor = time.process_time() - processor
    for what, seconds in (
        ("into the buffer", buffered - started),
        ("upload", uploaded - buffered),
        ("both", uploaded - started),
    ):
        print(f"{what:16} {size / seconds / 1e6:7.0f} MB/s  {seconds:6.2f} s")
    print(f"client           {peak() - before:7.0f} MiB above its start, {processor:.2f} s of processor in the upload")


def serve(folder: str, pipe: Connection) -> None:
    """Run a server until told to end."""
    with IndexCPServer(folder, 0, KEY) as server:
        server.start()
        before = peak()
        pipe.send(server.url)
        pipe.recv()
        pipe.send((peak() - before, time.process_time()))


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path, mebibytes: int) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(MEBIBYTE))


def sha256(path: Path) -> str:
    """The hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(MEBIBYTE):
            digest.update(piece)
    return digest.hexdigest()


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--width", type=int, default=4)
    parser.add_argument("--folder", help="where files go; the system's folder for temporary files by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
