"""Run the benchmark: `python -m benchmarks [--quick] [--only WORD] [--client NAME]`."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from . import peers, report, rounds

RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look in two minutes; writes no file")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="rows whose title holds it")
    parser.add_argument("--client", action="append", default=[], metavar="NAME", help="these clients only")
    options = parser.parse_args()

    partial = options.quick or options.only or options.client
    effort = rounds.QUICK if options.quick else rounds.FULL
    clients = [peer for peer in peers.PEERS if not options.client or peer.name in options.client]
    for client in clients:
        peers.interpreter(client)
    outcomes = rounds.run(rounds.choose(options.only), clients, effort)
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]) if partial else "make bench"
    text = report.write(outcomes, clients, effort, command)
    print(text)
    if not partial:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
