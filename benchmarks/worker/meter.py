"""What a stretch of work costs this process, as the kernel counts it."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

MIB = 1 << 20


class Meter:
    """Counts from its making on."""

    def __init__(self) -> None:
        # "5" resets the peak of the resident set (proc(5)).
        Path("/proc/self/clear_refs").write_text("5")
        self._idle = resident()
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._start = time.perf_counter()

    def figures(self, count: float) -> dict[str, float]:
        """Rate, and per counted thing CPU microseconds and voluntary switches."""
        seconds = time.perf_counter() - self._start
        before, after = self._usage, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak = _status("VmHWM")
        return {
            "rate": count / seconds,
            "cpu": cpu / count * 1e6,
            "switches": (after.ru_nvcsw - before.ru_nvcsw) / count,
            "peak": peak,
            "over_idle": peak - self._idle,
        }


def resident() -> float:
    """Resident memory in MiB."""
    return _status("VmRSS")


def open_files() -> int:
    """Descriptors of this process, the one that counts them left out."""
    return len(os.listdir("/proc/self/fd")) - 1


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / MIB
    raise LookupError(name)
