"""One run: files, processes and faults, all of them from one seed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .actors import ClientActor, PlainActor, ServerActor, fork, free_listener, own_host
from .faults import DISK, ERRORS, Fault
from .history import History
from .judge import Facts, judge_end, judge_history, judge_snapshot
from .proxy import Proxy, Weather

ATTEMPTS = 12
"""Lives of the clients under faults; those that follow have none."""
QUIET = 3
PATIENCE = 60.0
"""Seconds after which a process that should have ended is a failure."""


@dataclass
class Result:
    """What a run showed.

    Attributes:
        seed: which run.
        wrong: the promises that were broken.
        counts: what there was of files, chunks, kills and faults.
    """

    seed: int
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Trial:
    """A run.

    Args:
        seed: all that happens in it comes from here, but for the order in which the system runs its processes.
        folder: for its files.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self._rng = random.Random(seed)
        self._folder = folder
        self._out = folder / "out"
        self._calm = folder / "calm"
        self._history = History(folder / "history")
        self.result = Result(seed)
        self._facts = self._make_files()
        chunk_size = self._rng.choice((1, 7, 1000, 4096, 16384, 65536))
        self._options = {"chunk_size": chunk_size, "width": self._rng.randint(1, 4)}
        if self._options["chunk_size"] < 1000:
            self._shorten()
        self._server: int | None = None
        self._host = own_host()
        self._listener = free_listener()
        self._url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/upload"

    def run(self) -> Result:
        """Let everything happen, then judge."""
        proxy = fork(self._proxy)
        self._listener.close()
        try:
            for attempt in range(ATTEMPTS + QUIET):
                if self._live(faulty=attempt < ATTEMPTS):
                    break
            else:
                self.result.wrong.append("it does not end, even without faults")
        finally:
            self._stop(self._server)
            self._stop(proxy)
        events = self._history.events()
        self.result.wrong += judge_history(events)
        self.result.wrong += judge_end(self._out, self._facts, events)
        self.result.counts["acknowledged chunks"] += sum(event.get("status") == 200 for event in events)
        self._history.close()
        return self.result

    # What there is.

    def _make_files(self) -> Facts:
        sources = []
        for client in ("a", "b")[: 2 if self._rng.random() < 0.25 else 1]:
            (self._folder / f"home-{client}").mkdir()
            sources += [self._make_file(client, number) for number in range(self._rng.randint(1, 3))]
        self._out.mkdir()
        planted = {"file-0.bin": b"it was here first"} if self._rng.random() < 0.25 else {}
        for name, data in planted.items():
            (self._out / name).write_bytes(data)
        plain = None
        if self._rng.random() < 0.2:
            plain = self._make_file("plain", 0)
        self.result.counts["files"] += len(sources) + (plain is not None)
        return Facts(sources, planted, plain)

    def _make_file(self, client: str, number: int) -> Path:
        """Make a file; those of all clients have the same names, and hardly any content in common."""
        path = self._folder / f"files-{client}" / f"file-{number}.bin"
        path.parent.mkdir(exist_ok=True)
        size = self._rng.choice((0, 1, self._rng.randrange(5000), self._rng.randrange(200_000)))
        path.write_bytes(self._rng.randbytes(size))
        return path

    def _shorten(self) -> None:
        """Make files of few bytes where chunks are of few."""
        for path in self._facts.sources:
            os.truncate(path, min(path.stat().st_size, 20 * self._options["chunk_size"]))

    def _sources_of(self, client: str) -> list[Path]:
        return [path for path in self._facts.sources if path.parent.name == f"files-{client}"]

    # What happens.

    def _live(self, *, faulty: bool) -> bool:
        """Let every client live once; report whether all are content."""
        if not faulty and not self._calm.exists():
            self._calm.touch()
            self._stop(self._server)
        if self._server is None or not _lives(self._server):
            self._server = self._start_server(faulty)
        clients = [self._start_client(name, faulty) for name in ("a", "b") if self._sources_of(name)]
        if self._facts.plain is not None:
            clients.append(fork(PlainActor(self._folder, self._facts.plain, self._url, 5000)))
        self._kill_by_time(clients, faulty)
        content = [self._wait(client) for client in clients]
        if faulty and self._rng.random() < 0.2:
            self._stop(self._server)
        self.result.wrong += judge_snapshot(self._out, self._facts, self._history.events())
        return all(content)

    def _start_server(self, faulty: bool) -> int:
        with contextlib.suppress(FileNotFoundError):
            (self._folder / "port").unlink()
        faults = [self._disk_fault() for _ in range(self._rng.randint(0, 3))] if faulty else []
        server = fork(ServerActor(self._folder, self._host, faults, self._rng.randrange(1 << 30)))
        deadline = time.monotonic() + PATIENCE
        while not (self._folder / "port").exists():
            if not _lives(server) or time.monotonic() > deadline:
                raise RuntimeError("the server does not begin")
            time.sleep(0.002)
        self.result.counts["servers"] += 1
        self.result.counts.update(f"{fault.deed} {fault.point}" for fault in faults)
        return server

    def _disk_fault(self) -> Fault:
        point = self._rng.choice((*DISK, "answer"))
        call = self._rng.randint(1, 30 if point == "pwrite" else 12)
        deed = self._rng.choice(("before", "after", "cut", "cut", "error", "error", "short"))
        if point == "answer" and deed in ("error", "short"):
            deed = "cut"
        if deed == "short" and point != "pwrite":
            deed = "error"
        return Fault(point, call, deed, self._rng.choice(ERRORS[point]) if deed == "error" else 0)

    def _start_client(self, name: str, faulty: bool) -> int:
        faults = []
        if faulty and self._rng.random() < 0.4:
            point = self._rng.choice(("request", "request", "remove"))
            faults = [Fault(point, self._rng.randint(1, 12), self._rng.choice(("before", "after")))]
        self.result.counts["clients"] += 1
        actor = ClientActor(self._folder, name, self._sources_of(name), self._url, self._options, faults)
        return fork(actor)

    def _kill_by_time(self, clients: list[int], faulty: bool) -> None:
        """Kill somebody at some moment."""
        if not faulty or self._rng.random() < 0.5:
            return
        time.sleep(self._rng.random() ** 2 * 0.15)
        assert self._server is not None
        victim = self._rng.choice((self._server, *clients))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            self.result.counts["kills by time"] += 1

    def _proxy(self) -> None:
        severity = self._rng.choice((0.0, 0.1, 0.3))
        weather = Weather(cut=severity * 2, lose=severity, stall=severity, repeat=severity, spoil=severity / 2)
        if self._facts.plain is not None:  # TCP repeats and spoils nothing, and a plain client trusts it
            weather = Weather(cut=severity * 2, lose=severity, stall=severity)
        rng = random.Random(self._rng.random())
        Proxy(self._listener, self._address, lambda: Weather() if self._calm.exists() else weather, rng).serve()

    def _address(self) -> tuple[str, int] | None:
        try:
            return self._host, int((self._folder / "port").read_text())
        except OSError:
            return None

    # Processes.

    def _wait(self, process: int) -> bool:
        """Wait for a process; report whether it was content."""
        deadline = time.monotonic() + PATIENCE
        while not (ended := os.waitpid(process, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                self.result.wrong.append("a client hangs")
                os.kill(process, signal.SIGKILL)
                ended = os.waitpid(process, 0)
                break
            time.sleep(0.002)
        status = ended[1]
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            self.result.counts["killed clients"] += 1
        if code > 1:
            self.result.wrong.append(f"a client raised what it should not, see its traceback (exit {code})")
        return code == 0

    def _stop(self, process: int | None) -> None:
        if process is not None and _lives(process):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _lives(process: int) -> bool:
    """Whether a child lives; one that has ended is buried."""
    try:
        return os.waitpid(process, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def run_trial(seed: int) -> Result:
    """Make a run in a folder of its own."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-", dir=memory if memory.is_dir() else None))
    try:
        return Trial(seed, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def safe_trial(seed: int) -> Result:
    """Make a run; what goes wrong with it otherwise is a broken promise, too."""
    try:
        return run_trial(seed)
    except Exception as exc:
        return Result(seed, [f"the run failed: {exc!r}"])
