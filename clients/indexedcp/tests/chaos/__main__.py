"""Make runs, and show what they showed."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable

from .trial import Result, safe_trial


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each that follows has the next one")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        failed, counts = watch(pool.imap_unordered(safe_trial, seeds), started)
    report(len(seeds), failed, counts, time.monotonic() - started)
    return 1 if failed else 0


def watch(results: Iterable[Result], started: float) -> tuple[list[Result], Counter[str]]:
    """Collect results as they come."""
    failed, counts = list[Result](), Counter[str]()
    for done, result in enumerate(results, 1):
        counts += result.counts
        if result.wrong:
            failed.append(result)
            print(f"seed {result.seed}: {'; '.join(result.wrong)}", flush=True)
        if done % 500 == 0:
            print(f"{done} runs, {len(failed)} failed, {time.monotonic() - started:.0f} s", flush=True)
    return failed, counts


def report(runs: int, failed: list[Result], counts: Counter[str], seconds: float) -> None:
    """Show the sums."""
    print(f"\n{runs} runs in {seconds:.0f} s: {len(failed)} broke a promise")
    for what, count in sorted(counts.items()):
        print(f"{count:10,}  {what}")


if __name__ == "__main__":
    raise SystemExit(main())
